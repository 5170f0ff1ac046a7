"""The latency picture: the median of every variant on every device, fastest first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from components.artifacts.decision import Candidate
from components.pages.charts.axes import Scale, horizontal, padded
from components.pages.charts.svg import WIDE, Box, picture, shorten, tag, text_width
from components.statistics.bootstrap import Interval
from components.statistics.quantities import short_time, short_times


@dataclass(frozen=True)
class Speed:
    """One variant on one device in the latency picture.

    Attributes:
        variant: Its verdict decides the colour.
        device: Where it was measured.
    """

    variant: Candidate
    device: str

    @property
    def p50_ms(self) -> Interval | None:
        """Median with its interval; None after a crash."""
        return self.variant.latency[self.device].p50_ms

    @property
    def p90_ms(self) -> float | None:
        """Where nine of ten inferences ended, when there were enough of them."""
        p90_ms = self.variant.latency[self.device].p90_ms
        return p90_ms and p90_ms.value

    @property
    def note(self) -> str:
        """What is to be said beside it: "disturbed" or "crashed"."""
        verdict = self.variant.latency[self.device].verdict
        return "" if verdict == "stable" else verdict


def latency_svg(
    speeds: Sequence[Speed],
    *,
    budgets_ms: Mapping[str, float | None] | None = None,
    width: int = WIDE,
    ident: str = "latency",
) -> Markup:
    """Draw the median inference of every variant with its interval, fastest first.

    Args:
        speeds: One a variant and device.
        budgets_ms: By device its budget, which is drawn as a line through its rows.
        width: ``WIDE`` or ``NARROW``.
        ident: Unique in the page.
    """
    ordered = sorted(speeds, key=lambda one: (one.device, _median(one), one.variant.name))
    devices = list(dict.fromkeys(one.device for one in ordered))
    gutter = 170.0 if width >= WIDE else 8.0
    row = 26 if width >= WIDE else 38
    heading = 22 if len(devices) > 1 else 0
    top = 22.0
    frame = Box(gutter, top, width - gutter - 78, len(ordered) * row + len(devices) * heading)
    limits = {device: (budgets_ms or {}).get(device) for device in devices}
    x = _time_scale(ordered, [limit for limit in limits.values() if limit], frame)
    drawn = horizontal(
        x, frame, write=short_time, most=6 if width >= WIDE else 4,
        title=f"median of steady inferences{' (logarithmic)' if x.log else ''}",
    )  # fmt: skip
    common = next(iter(limits.values())) if len({*limits.values()}) == 1 else None
    if common is not None:
        drawn += _budget(common, x, (top - 6, frame.bottom), (top - 10, 0.0), width)
    place_y = top
    for device in devices:
        if heading:
            drawn.append(tag("text", device, x=0, y=place_y + 16, class_="note strong"))
            place_y += heading
        limit, begins = limits[device], place_y
        rows = [one for one in ordered if one.device == device]
        for one in rows:
            drawn.append(_speed_row(one, x, _Row(place_y, row, gutter, width), limit))
            place_y += row
        if limit is not None and common is None:
            beside = text_width(device, 12) + 14
            drawn += _budget(limit, x, (begins - 2, place_y), (begins - 6, beside), width)
    return picture(
        *drawn,
        ident=ident,
        size=(width, frame.bottom + 44),
        title=f"Median latency of {len(ordered)} measurements",
        description="; ".join(
            f"{one.variant.name} on {one.device}: {_pace(one)}" for one in ordered
        ),
    )


def _budget(
    limit_ms: float, x: Scale, ends_y: tuple[float, float], note: tuple[float, float], width: int
) -> list[Markup]:
    """Draw the line of a budget with its note.

    Args:
        limit_ms: The budget.
        x: Where it stands.
        ends_y: Between which heights.
        note: Height of the note, and where it may begin at the earliest.
        width: Of the picture.
    """
    at, (y, earliest) = x(limit_ms), note
    text = f"budget {short_time(limit_ms)}"
    ends = at > width * 0.6 and at - text_width(text, 11) > earliest
    return [
        tag("line", x1=at, x2=at, y1=ends_y[0], y2=ends_y[1], class_="budget"),
        tag(
            "text", text, x=at if ends else max(at, earliest), y=y,
            text_anchor="end" if ends else "start", class_="budget-note",
        ),
    ]  # fmt: skip


def _median(one: Speed) -> float:
    return one.p50_ms.value if one.p50_ms else math.inf


def _time_scale(speeds: Sequence[Speed], budgets_ms: Sequence[float], frame: Box) -> Scale:
    known = [one.p50_ms for one in speeds if one.p50_ms]
    ends = [end for item in known for end in (item.low, item.high) if end > 0]
    ends += [one.p90_ms for one in speeds if one.p90_ms]
    ends += budgets_ms
    ends = ends or [1.0]
    if max(ends) > 8 * min(ends):
        return Scale(*padded(ends, log=True), frame.x, frame.right, log=True)
    return Scale(0, max(ends) * 1.08, frame.x, frame.right)


@dataclass(frozen=True)
class _Row:
    """Where one measurement is drawn: gutter with the name, then the marks."""

    top: float
    height: float
    gutter: float
    width: int

    @property
    def wide(self) -> bool:
        return self.width >= WIDE

    @property
    def middle(self) -> float:
        """Where the marks lie; on phones the name has a line of its own above them."""
        return self.top + self.height / 2 if self.wide else self.top + self.height - 11

    def name(self, one: Speed) -> Markup:
        room = self.gutter - 18 if self.wide else self.width * 0.7
        return tag(
            "text",
            shorten(one.variant.name, room),
            x=self.gutter - 12 if self.wide else 0,
            y=self.middle + 4 if self.wide else self.top + 14,
            text_anchor="end" if self.wide else "start",
            class_="name strong" if one.variant.verdict == "winner" else "name",
        )


def _speed_row(one: Speed, x: Scale, row: _Row, budget_ms: float | None) -> Markup:
    hint, y = tag("title", f"{one.variant.name}: {_pace(one)}"), row.middle
    if one.p50_ms is None:
        note = tag("text", one.note or "no measurement", x=x.start + 4, y=y + 4, class_="note")
        return tag("g", hint, row.name(one), note, class_=one.variant.verdict)
    low, at, high = x(one.p50_ms.low), x(one.p50_ms.value), x(one.p50_ms.high)
    marks = [tag("path", d=f"M{low:.1f} {y:.1f}H{max(high, low + 1):.1f}", class_="whisker")]
    end = high
    if one.p90_ms is not None:
        end = max(end, x(one.p90_ms))
        marks.append(tag("path", d=f"M{x(one.p90_ms):.1f} {y - 5:.1f}v10", class_="whisker"))
    marks.append(tag("circle", cx=at, cy=y, r=4.5, class_="mark solid"))
    text = short_time(one.p50_ms.value) + (f" ({one.note})" if one.note else "")
    start = end + 10
    if budget_ms is not None and start - 4 < x(budget_ms) < start + text_width(text, 11):
        start = x(budget_ms) + 6  # behind the budget's line rather than across it
    told = tag("text", text, x=start, y=y + 4, class_="note halo")
    if start + text_width(text, 11) > row.width:  # no room behind the marks: in front of them
        told = tag("text", text, x=low - 10, y=y + 4, text_anchor="end", class_="note halo")
    marks.append(told)
    return tag("g", hint, row.name(one), *marks, class_=one.variant.verdict)


def _pace(one: Speed) -> str:
    if one.p50_ms is None:
        return one.note or "no measurement"
    ends = short_times(one.p50_ms.low, one.p50_ms.high)
    tail = f", p90 {short_time(one.p90_ms)}" if one.p90_ms else ""
    return f"p50 {short_time(one.p50_ms.value)} ({ends}){tail}"
