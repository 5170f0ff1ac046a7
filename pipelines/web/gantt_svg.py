"""The picture of what ran when: a row for each step or pipeline, a bar for each time it ran."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from components.pages.charts.svg import picture, shorten, tag
from pipelines.web.state_icons import look_of

_LABEL, _PLOT, _MARGIN = 230.0, 930.0, 8.0
_ROW, _HIGH, _AXIS = 24.0, 14.0, 26.0
_LEAST = 15.0
"""Narrower than its icon no bar is."""
_STEPS_S = (
    1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 21600, 43200, 86400,
    172800, 432000, 864000,
)  # fmt: skip
_TICKS_MAX = 8


@dataclass(frozen=True)
class Bar:
    """A time during which something ran.

    Attributes:
        start_s: When it began, in seconds from the left edge.
        end_s: When it ended.
        state: Its state, or how it ended: a name of ``STATES``.
        told: What it is, for who points at it or does not see it.
        link: Where it leads.
        waited_s: How much at its beginning it waited.
        marked: Whether it is on the longest path.
    """

    start_s: float
    end_s: float
    state: str
    told: str
    link: str
    waited_s: float = 0.0
    marked: bool = False


@dataclass(frozen=True)
class GanttRow:
    """A row, with its bars; those that would cover each other lie below each other.

    Attributes:
        label: What stands at its left.
        bars: In the order of their beginning.
        link: Where the label leads, or None.
    """

    label: str
    bars: Sequence[Bar]
    link: str | None = None


def gantt_svg(
    rows: Sequence[GanttRow],
    length_s: float,
    told: Callable[[float], str],
    *,
    title: str,
    step_of: Callable[[float], Sequence[float]] | None = None,
) -> Markup:
    """Draw what ran when.

    Args:
        rows: From top to bottom.
        length_s: How many seconds lie between the left edge and the right one.
        told: Writes a moment of the axis, given in seconds from the left edge.
        title: What it is a picture of.
        step_of: Returns the moments of the axis for a length; None takes round ones.
    """
    scale = _PLOT / length_s if length_s > 0 else 0.0
    drawn: list[Markup] = []
    top = _AXIS
    for row in rows:
        lanes = _lanes(row.bars, scale)
        high = max(1, len(lanes)) * _ROW
        drawn += [_label(row, top), *_bars(lanes, scale, top)]
        drawn.append(
            tag("path", d=f"M{_MARGIN} {top + high:g}H{_LABEL + _PLOT:g}", class_="grid row")
        )
        top += high
    axis = list(_axis((step_of or _round)(length_s), scale, top, told))
    count = sum(len(row.bars) for row in rows)
    return picture(
        *axis,
        *drawn,
        ident="gantt",
        size=(_LABEL + _PLOT + _MARGIN, top + _MARGIN),
        title=title,
        description=f"{count} bars in {len(rows)} rows; each is a link that says what it is",
        scale=1.0,
        role="group",
    )


def _round(length_s: float) -> list[float]:
    """Return round moments from 0 on."""
    step = next((one for one in _STEPS_S if length_s / one <= _TICKS_MAX), _STEPS_S[-1])
    return [float(n * step) for n in range(int(length_s // step) + 1)]


def _axis(
    moments: Sequence[float], scale: float, bottom: float, told: Callable[[float], str]
) -> list[Markup]:
    parts: list[Markup] = []
    for moment in moments:
        x = _LABEL + moment * scale
        parts.append(tag("path", d=f"M{x:.1f} {_AXIS - 4:g}V{bottom:.1f}", class_="grid"))
        anchor = "end" if x > _LABEL + _PLOT - 30 else "middle" if moment else "start"
        parts.append(tag("text", told(moment), x=x, y=14, text_anchor=anchor, class_="note"))
    return parts


def _lanes(bars: Sequence[Bar], scale: float) -> list[list[Bar]]:
    """Put bars below each other where they would cover each other."""
    lanes: list[list[Bar]] = []
    free: list[float] = []
    for bar in sorted(bars, key=lambda one: one.start_s):
        left = bar.start_s * scale
        right = left + max(_LEAST, (bar.end_s - bar.start_s) * scale) + 2
        lane = next((n for n, until in enumerate(free) if until <= left), len(free))
        if lane == len(free):
            free.append(right)
            lanes.append([bar])
        else:
            free[lane] = right
            lanes[lane].append(bar)
    return lanes


def _label(row: GanttRow, top: float) -> Markup:
    text = tag(
        "text", shorten(row.label, _LABEL - 24, 12), x=_MARGIN, y=top + 16, class_="name row-name"
    )
    hint = tag("title", row.label)
    return tag("a", hint, text, href=row.link) if row.link else tag("g", hint, text)


def _bars(lanes: Sequence[Sequence[Bar]], scale: float, top: float) -> list[Markup]:
    parts: list[Markup] = []
    for lane, bars in enumerate(lanes):
        y = top + lane * _ROW + (_ROW - _HIGH) / 2
        parts += [_bar(bar, scale, y) for bar in bars]
    return parts


def _bar(bar: Bar, scale: float, y: float) -> Markup:
    look = look_of(bar.state)
    left = min(_LABEL + bar.start_s * scale, _LABEL + _PLOT - _LEAST)
    width = max(_LEAST, (bar.end_s - bar.start_s) * scale)
    parts = [
        tag("title", bar.told),
        tag("rect", x=left, y=y, width=width, height=_HIGH, rx=4, class_="bar-back"),
    ]
    if waited := min(width, bar.waited_s * scale):
        parts.append(
            tag("rect", x=left, y=y, width=waited, height=_HIGH, rx=4, class_="bar-waited")
        )
    if bar.marked:
        d = f"M{left:.1f} {y + _HIGH + 2:.1f}h{width:.1f}"
        parts.append(tag("path", d=d, class_="bar-marked"))
    shape = tag("g", *look.shape, transform=f"translate({left + 1.5:.1f} {y + 1:.1f}) scale(.75)")
    parts.append(shape)
    group = tag("g", *parts, class_=f"{look.tone} is-{bar.state}")
    return tag("a", group, href=bar.link, aria_label=bar.told)
