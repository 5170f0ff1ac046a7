"""The drop as it is judged: paired, with its interval, against the budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from components.artifacts.decision import Verdict
from components.pages.charts.axes import Scale, exact, horizontal, padded
from components.pages.charts.svg import WIDE, Box, picture, shorten, tag, text_width
from components.statistics.bootstrap import Interval
from components.statistics.quantities import decimal, exact_places, with_interval

_REACH = 6.0
"""Drops beyond so many budgets are drawn at the end of the axis: one collapsed variant must not
squeeze all others into a line."""
_LEAST_REACH = 0.02
_BOLD = 1.12
"""How much wider bold texts are."""


@dataclass(frozen=True)
class Drop:
    """One row.

    Attributes:
        name: Of the variant, or where it was measured.
        drop: Paired, with its interval.
        verdict: Decides the colour.
    """

    name: str
    drop: Interval
    verdict: Verdict


def drops_svg(
    drops: Sequence[Drop], *, limit: float, metric: str, width: int = WIDE, ident: str = "drops"
) -> Markup:
    """Draw drops, one below the other, with the part of the axis that keeps the budget tinted.

    Args:
        drops: The rows.
        limit: The budget.
        metric: Title of what drops.
        width: ``WIDE`` or ``NARROW``.
        ident: Unique in the page.
    """
    wide = width >= WIDE
    gutter, row, right = (200.0, 27, 170.0) if wide else (8.0, 42, 14.0)
    frame = Box(gutter, 26, width - gutter - right, len(drops) * row)
    x = _scale(drops, limit, frame)
    at, zero = x(limit), x(0)
    words = f"budget {decimal(limit, exact_places(limit))}"
    ends_left = at - frame.x > frame.width / 2
    drawn = [
        tag("rect", x=frame.x, y=frame.y, width=at - frame.x, height=frame.height, class_="keeps"),
        *horizontal(
            x, frame, write=exact, most=6 if wide else 4,
            title=f"drop of {metric} against the reference",
        ),
        tag("line", x1=zero, x2=zero, y1=frame.y, y2=frame.bottom, class_="axis"),
        tag("line", x1=at, x2=at, y1=frame.y - 6, y2=frame.bottom, class_="budget"),
        tag(
            "text", words, x=at, y=frame.y - 10, text_anchor="end" if ends_left else "start",
            class_="budget-note",
        ),
    ]  # fmt: skip
    for place, one in enumerate(drops):
        drawn.append(_row(one, x, frame, frame.y + place * row, row, wide=wide))
    return picture(
        *drawn,
        ident=ident,
        size=(width, frame.bottom + 44),
        title=f"Drop of {metric} of {len(drops)} variants, {words}",
        description="; ".join(f"{one.name}: {with_interval(one.drop)}" for one in drops),
    )


def _scale(drops: Sequence[Drop], limit: float, frame: Box) -> Scale:
    reach = max(limit * _REACH, _LEAST_REACH)
    ends = [end for one in drops for end in (one.drop.low, one.drop.high)]
    shown = [min(max(end, -reach), reach) for end in ends]
    return Scale(*padded([0.0, limit, *shown]), frame.x, frame.right)


def _row(one: Drop, x: Scale, frame: Box, top: float, height: int, *, wide: bool) -> Markup:
    """Draw a name, an interval and its numbers; on phones the words have a line of their own."""
    middle = top + height / 2 if wide else top + height - 11
    low, at, high = x(one.drop.low), x(one.drop.value), x(one.drop.high)
    words = with_interval(one.drop)
    if wide:
        room, name_x, anchor, line = frame.x - 20, frame.x - 12, "end", middle + 4
        told = tag("text", words, x=frame.right + 10, y=line, class_="note")
    else:
        told = tag("text", words, x=frame.right, y=top + 14, text_anchor="end", class_="note halo")
        room = frame.width - text_width(words, 11) - 12
        name_x, anchor, line = frame.x, "start", top + 14
    marks = [
        tag("path", d=f"M{low:.1f} {middle:.1f}H{max(high, low + 1):.1f}", class_="whisker"),
        tag("path", d=f"M{low:.1f} {middle - 4:.1f}v8M{high:.1f} {middle - 4:.1f}v8",
            class_="whisker"),
    ]  # fmt: skip
    if one.drop.value <= x.high:
        marks.append(tag("circle", cx=at, cy=middle, r=4.5, class_="mark solid"))
    else:
        arrow = f"M{at - 10:.1f} {middle - 6:.1f}v12l10 -6z"
        marks.append(tag("path", d=arrow, class_="bar"))
    strong = one.verdict == "winner"
    label = shorten(one.name, room / _BOLD if strong else room)
    name = tag(
        "text", label, x=name_x, y=line, text_anchor=anchor,
        class_="name halo strong" if strong else "name halo",
    )  # fmt: skip
    hint = tag("title", f"{one.name}: {words}")
    return tag("g", hint, *marks, name, told, class_=one.verdict)
