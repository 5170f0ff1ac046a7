"""The Pareto picture: size against the metric, with budgets, intervals and the front."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from components.artifacts.decision import Candidate, Verdict
from components.pages.charts.axes import Scale, horizontal, padded, vertical
from components.pages.charts.labels import Anchor, far, place
from components.pages.charts.svg import WIDE, Box, picture, shorten, tag, text_width
from components.statistics.bootstrap import Interval
from components.statistics.quantities import decimal, short_bytes, significant, with_interval

_MARK = 5.5
_COLLAPSED = 6.0
"""A metric further below the reference than so many of the others' spans is drawn at the edge:
one collapsed variant must not squeeze all others into a line."""
_MAY_COLLAPSE: tuple[Verdict, ...] = ("over-budget", "undecided", "failed", "comparison")
_IMPORTANCE: dict[Verdict, int] = {
    "winner": 0, "reference": 1, "kept": 2, "undecided": 3, "over-budget": 4, "comparison": 5,
    "failed": 6,
}  # fmt: skip


@dataclass(frozen=True)
class Point:
    """One variant in the Pareto picture.

    Attributes:
        variant: Its verdict decides colour and shape; of the front it is filled and joined.
        metric: Its metric, which a variant that crashed has not.
    """

    variant: Candidate
    metric: Interval


def pareto_svg(
    points: Sequence[Point],
    *,
    metric: str,
    higher_is_better: bool = True,
    size_budget_bytes: int | None = None,
    metric_limit: float | None = None,
    size_title: str = "size of the .tflite file",
    width: int = WIDE,
    ident: str = "pareto",
) -> Markup:
    """Draw file size against the metric.

    Args:
        points: The variants that have both.
        metric: Title of the axis that runs upwards.
        higher_is_better: False turns that axis over, so that up is better in every picture.
        size_budget_bytes: Draws the budget's line.
        metric_limit: The reference's metric less the allowed drop; draws the line.
        size_title: What the sizes are of.
        width: ``WIDE`` or ``NARROW``.
        ident: Unique in the page.
    """
    height = round(width * 0.42) if width >= WIDE else round(width * 0.95)
    frame = Box(46, 34, width - 46 - 14, height - 34 - 44)
    limits = [float(size_budget_bytes)] if size_budget_bytes else []
    sizes = [float(point.variant.file_bytes) for point in points]
    x = Scale(*padded(sizes + limits, log=True, share=0.08), frame.x, frame.right, log=True)
    bottom, top = _metric_ends(points, metric_limit, higher_is_better)
    ends = (frame.bottom, frame.y) if higher_is_better else (frame.y, frame.bottom)
    y = Scale(bottom, top, *ends)
    ordered = sorted(
        points, key=lambda point: (_IMPORTANCE[point.variant.verdict], point.variant.name)
    )
    return picture(
        *_keeping(x, y, frame, size_budget_bytes, metric_limit),
        *vertical(y, frame, write=lambda value: significant(value, 4), most=6, title=metric),
        *horizontal(
            x, frame, write=short_bytes, most=6 if width >= WIDE else 4,
            title=f"{size_title} (logarithmic)",
        ),
        *_budget_lines(x, y, frame, size_budget_bytes, metric_limit),
        _staircase(points, x, y, higher_is_better),
        *[mark for point in reversed(ordered) for mark in _pareto_mark(point, x, y)],
        *_names(ordered, x, y, frame, metric_limit),
        ident=ident,
        size=(width, height),
        title=f"{metric} against size of {len(points)} variants",
        description=_pareto_words(ordered, metric),
    )  # fmt: skip


def _metric_ends(
    points: Sequence[Point], limit: float | None, higher_is_better: bool
) -> tuple[float, float]:
    """Return the ends of the metric's axis, leaving out what has collapsed."""
    values = [point.metric.value for point in points]
    best = max(values) if higher_is_better else min(values)
    spans = sorted(point.metric.high - point.metric.low for point in points)
    usual = max(spans[len(spans) // 2], abs(best - limit) if limit is not None else 0.0, 1e-3)
    shown = [
        point.metric
        for point in points
        if point.variant.verdict not in _MAY_COLLAPSE
        or abs(point.metric.value - best) <= _COLLAPSED * usual
    ]
    ends = [end for item in shown for end in (item.low, item.high, item.value)]
    return padded(ends + ([limit] if limit is not None else []), share=0.08)


def _keeping(x: Scale, y: Scale, frame: Box, size: int | None, limit: float | None) -> list[Markup]:
    """Tint the corner in which both budgets are kept."""
    if size is None and limit is None:
        return []
    right = x(size) if size else frame.right
    edge = y(limit) if limit is not None else frame.bottom
    return [
        tag(
            "rect", x=frame.x, y=frame.y, width=right - frame.x, height=edge - frame.y,
            class_="keeps",
        )
    ]  # fmt: skip


def _limit_words(limit: float) -> str:
    return f"allowed drop: {significant(limit, 4)}"


def _limit_note(limit: float, y: Scale, frame: Box) -> Box:
    return Box(frame.x + 6, y(limit) + 3, text_width(_limit_words(limit), 11), 15)


def _budget_lines(
    x: Scale, y: Scale, frame: Box, size: int | None, limit: float | None
) -> list[Markup]:
    drawn: list[Markup] = []
    if size:
        at = x(size)
        drawn.append(tag("line", x1=at, x2=at, y1=frame.y - 6, y2=frame.bottom, class_="budget"))
        left = at > frame.x + frame.width * 0.6
        drawn.append(
            tag(
                "text", f"budget {short_bytes(size)}", x=at, y=frame.y - 10,
                text_anchor="end" if left else "start", class_="budget-note",
            )
        )  # fmt: skip
    if limit is not None:
        at = y(limit)
        drawn.append(tag("line", x1=frame.x, x2=frame.right, y1=at, y2=at, class_="budget"))
        drawn.append(
            tag(
                "text", _limit_words(limit), x=frame.x + 6, y=at + 14, class_="budget-note halo",
            )
        )  # fmt: skip
    return drawn


def _staircase(points: Sequence[Point], x: Scale, y: Scale, higher_is_better: bool) -> Markup:
    """Join, from small to large, the points of the front that get better with size."""
    sign = 1 if higher_is_better else -1
    best, corners = -math.inf, list[Point]()
    for point in sorted(
        points, key=lambda p: (p.variant.file_bytes, -sign * p.metric.value, p.variant.name)
    ):
        shown = y.low <= point.metric.value <= y.high
        if point.variant.on_front and shown and sign * point.metric.value > best:
            best = sign * point.metric.value
            corners.append(point)
    if len(corners) < 2:
        return Markup()
    path = f"M{x(corners[0].variant.file_bytes):.1f} {y(corners[0].metric.value):.1f}"
    for _, after in pairwise(corners):
        path += f"H{x(after.variant.file_bytes):.1f}V{y(after.metric.value):.1f}"
    return tag("path", d=path, class_="front")


def _pareto_mark(point: Point, x: Scale, y: Scale) -> list[Markup]:
    at, level = x(point.variant.file_bytes), y(point.metric.value)
    hint = tag("title", f"{point.variant.name}: {_words(point)}")
    if not y.low <= point.metric.value <= y.high:
        return [_off_scale(at, level, point.variant.verdict, hint)]
    low, high = y(point.metric.low), y(point.metric.high)
    whisker = (
        f"M{at:.1f} {low:.1f}V{high:.1f}M{at - 3.5:.1f} {low:.1f}h7M{at - 3.5:.1f} {high:.1f}h7"
    )
    drawn = [tag("path", d=whisker, class_="whisker")]
    if point.variant.verdict == "winner":
        drawn.append(tag("circle", cx=at, cy=level, r=_MARK + 5, class_="ring"))
    drawn.append(_shape(at, level, point.variant.verdict, solid=point.variant.on_front))
    return [tag("g", hint, *drawn, class_=point.variant.verdict)]


def _off_scale(at: float, level: float, verdict: Verdict, hint: Markup) -> Markup:
    arrow = tag("path", d=f"M{at - 6:.1f} {level - 11:.1f}h12l-6 10z", class_="bar")
    return tag("g", hint, arrow, class_=verdict)


def _shape(at: float, level: float, verdict: Verdict, *, solid: bool) -> Markup:
    """Draw a mark; shape tells verdicts apart where colour cannot."""
    kind = "mark solid" if solid else "mark"
    if verdict == "reference":
        side = _MARK * 1.8
        return tag(
            "rect", x=at - side / 2, y=level - side / 2, width=side, height=side, rx=1.5,
            class_=kind,
        )  # fmt: skip
    if verdict == "comparison":
        r = _MARK + 1.5
        corners = f"M{at:.1f} {level - r:.1f}l{r} {1.8 * r:.1f}h-{2 * r}z"
        return tag("path", d=corners, class_=kind)
    if verdict == "undecided":
        r = _MARK + 1.5
        return tag("path", d=f"M{at:.1f} {level - r:.1f}l{r} {r}l-{r} {r}l-{r} -{r}z", class_=kind)
    return tag("circle", cx=at, cy=level, r=_MARK, class_=kind)


def mark_svg(verdict: Verdict) -> Markup:
    """Return the mark of a verdict by itself, for a key below the picture."""
    return tag(
        "svg", tag("g", _shape(8, 8, verdict, solid=True), class_=verdict),
        viewBox="0 0 16 16", class_="picture",
    )  # fmt: skip


def _names(
    ordered: Sequence[Point], x: Scale, y: Scale, frame: Box, limit: float | None
) -> list[Markup]:
    widest = frame.width * 0.42
    texts = [shorten(_label(point, y), widest) for point in ordered]
    anchors = [
        Anchor(
            x(point.variant.file_bytes),
            y(point.metric.value),
            text_width(text) * (1.08 if point.variant.verdict == "winner" else 1) + 4,
            clearance=14 if point.variant.verdict == "winner" else 10,
        )
        for point, text in zip(ordered, texts, strict=True)
    ]
    marks = [Box(one.x - 8, one.y - 8, 16, 16) for one in anchors]
    whiskers = [
        Box(one.x - 3, y(top), 6, max(1.0, y(end) - y(top)))
        for one, point in zip(anchors, ordered, strict=True)
        for top, end in [sorted((point.metric.low, point.metric.high), key=y)]
    ]
    drawn: list[Markup] = []
    notes = [_limit_note(limit, y, frame)] if limit is not None else []
    boxes = place(anchors, frame, marks + whiskers + notes)
    for point, text, anchor, box in zip(ordered, texts, anchors, boxes, strict=True):
        if box is None:
            continue  # a crowd: its mark still tells its name to a pointer, and the table has it
        if far(box, anchor):
            nearest = min(max(anchor.x, box.x), box.right)
            edge = box.y if box.y > anchor.y else box.bottom
            drawn.append(
                tag("line", x1=anchor.x, y1=anchor.y, x2=nearest, y2=edge, class_="leader")
            )
        strong = " strong" if point.variant.verdict == "winner" else ""
        drawn.append(
            tag("text", text, x=box.x + 2, y=box.bottom - 3.5, class_=f"name halo{strong}")
        )
    return drawn


def _label(point: Point, y: Scale) -> str:
    if y.low <= point.metric.value <= y.high:
        return point.variant.name
    return f"{point.variant.name} {decimal(point.metric.value)}"


def _words(point: Point) -> str:
    metric = with_interval(point.metric)
    front = ", on the Pareto front" if point.variant.on_front else ""
    return f"{short_bytes(point.variant.file_bytes)}, {metric}, {point.variant.verdict}{front}"


def _pareto_words(ordered: Sequence[Point], metric: str) -> str:
    listed = "; ".join(f"{point.variant.name}: {_words(point)}" for point in ordered)
    return f"Size and {metric} with interval. {listed}."
