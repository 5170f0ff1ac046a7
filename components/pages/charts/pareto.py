"""The Pareto picture: what variants cost against their metric, with budgets and the front."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from markupsafe import Markup

from components.artifacts.decision import Verdict
from components.pages.charts.axes import Scale, exact, horizontal, padded, vertical
from components.pages.charts.labels import Anchor, far, place
from components.pages.charts.marks import MARK, shape
from components.pages.charts.pareto_parts import BudgetLines, CostAxis, Exploring, MetricAxis, Point
from components.pages.charts.svg import BESIDE, NARROW, WIDE, Box, picture, shorten, tag, text_width
from components.pages.words import VERDICTS
from components.statistics.quantities import decimal, significant, with_interval

_HEIGHTS = {WIDE: 0.42, BESIDE: 0.56, NARROW: 0.95}  # of the picture, as parts of its width
_COLLAPSED = 6.0
"""A metric further below the reference than so many of the others' spans is drawn at the edge:
one collapsed variant must not squeeze all others into a line."""
_MAY_COLLAPSE: tuple[Verdict, ...] = ("over-budget", "undecided", "failed", "comparison")
_IMPORTANCE: dict[Verdict, int] = {
    "winner": 0, "reference": 1, "kept": 2, "undecided": 3, "over-budget": 4, "comparison": 5,
    "failed": 6,
}  # fmt: skip


def pareto_svg(
    points: Sequence[Point],
    metric: MetricAxis,
    cost: CostAxis | None = None,
    limits: BudgetLines | None = None,
    *,
    called: Mapping[Verdict, str] = VERDICTS,
    exploring: Exploring | None = None,
    width: int = WIDE,
    ident: str = "pareto",
) -> Markup:
    """Draw what variants cost against their metric.

    Args:
        points: The variants that have both.
        metric: The axis that runs upwards.
        cost: The axis that runs to the right; None is the size of files.
        limits: Budgets, which both axes reach.
        called: By verdict its name on the page; a winner that does not qualify is none there.
        exploring: Lets budgets be moved and variants be found.
        width: ``WIDE``, ``BESIDE`` or ``NARROW``.
        ident: Unique in the page.
    """
    cost, limits = cost or CostAxis(), limits or BudgetLines()
    height = round(width * _HEIGHTS[width])
    frame = Box(46, 34, width - 46 - 14, height - 34 - 44)
    x, y = _scales(points, limits, frame, higher_is_better=metric.higher_is_better)
    drawn = exploring.moved if exploring else limits
    ordered = sorted(
        points, key=lambda point: (_IMPORTANCE[point.variant.verdict], point.variant.name)
    )
    return picture(
        *_keeping(x, y, frame, drawn),
        *vertical(y, frame, write=exact, most=6, title=metric.title),
        *horizontal(
            x, frame, write=cost.write, most=6 if width > NARROW else 4,
            title=f"{cost.title} (logarithmic)",
        ),
        *_budget_lines(x, y, frame, drawn, cost, metric),
        *_staircases(points, x, y, higher_is_better=metric.higher_is_better),
        *[
            _pareto_mark(point, x, y, _words(point, cost, called), exploring)
            for point in reversed(ordered)
        ],
        *_names(ordered, x, y, frame, _limit_note(drawn, metric, y, frame)),
        *(_grips(x, y, frame, drawn) if exploring else ()),
        ident=ident,
        size=(width, height),
        title=f"{metric.title} against {cost.name} of {len(points)} variants",
        description=_pareto_words(ordered, metric, cost, called),
    )  # fmt: skip


def _scales(
    points: Sequence[Point], limits: BudgetLines, frame: Box, *, higher_is_better: bool
) -> tuple[Scale, Scale]:
    reached = [] if limits.cost is None else [limits.cost]
    costs = [end for point in points for end in (point.along.low, point.along.high) if end > 0]
    x = Scale(*padded(costs + reached, log=True, share=0.08), frame.x, frame.right, log=True)
    bottom, top = _metric_ends(points, limits.metric, higher_is_better)
    ends = (frame.bottom, frame.y) if higher_is_better else (frame.y, frame.bottom)
    return x, Scale(bottom, top, *ends)


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


def _keeping(x: Scale, y: Scale, frame: Box, limits: BudgetLines) -> list[Markup]:
    """Tint the corner in which both budgets are kept."""
    if limits == BudgetLines():
        return []
    right = frame.right if limits.cost is None else x(limits.cost)
    edge = frame.bottom if limits.metric is None else y(limits.metric)
    return [
        tag(
            "rect", x=frame.x, y=frame.y, width=right - frame.x, height=edge - frame.y,
            class_="keeps",
        )
    ]  # fmt: skip


def _limit_words(limit: float, metric: MetricAxis) -> str:
    return f"{metric.limit_name}: {significant(limit, 4)}"


def _limit_note(limits: BudgetLines, metric: MetricAxis, y: Scale, frame: Box) -> list[Box]:
    if limits.metric is None:
        return []
    words = _limit_words(limits.metric, metric)
    return [Box(frame.x + 6, y(limits.metric) + 3, text_width(words, 11), 15)]


def _budget_lines(
    x: Scale, y: Scale, frame: Box, limits: BudgetLines, cost: CostAxis, metric: MetricAxis
) -> list[Markup]:
    drawn: list[Markup] = []
    if limits.cost is not None:
        at = x(limits.cost)
        drawn.append(tag("line", x1=at, x2=at, y1=frame.y - 6, y2=frame.bottom, class_="budget"))
        left = at > frame.x + frame.width * 0.6
        drawn.append(
            tag(
                "text", f"budget {cost.write(limits.cost)}", x=at, y=frame.y - 10,
                text_anchor="end" if left else "start", class_="budget-note",
            )
        )  # fmt: skip
    if limits.metric is not None:
        at = y(limits.metric)
        words = _limit_words(limits.metric, metric)
        drawn.append(tag("line", x1=frame.x, x2=frame.right, y1=at, y2=at, class_="budget"))
        drawn.append(tag("text", words, x=frame.x + 6, y=at + 14, class_="budget-note halo"))
    return drawn


def _grips(x: Scale, y: Scale, frame: Box, limits: BudgetLines) -> list[Markup]:
    """Draw what a budget is dragged by, and say how numbers lie on the axes."""

    def ends(scale: Scale) -> str:
        return f"{scale.low!r} {scale.high!r} {scale.start:.2f} {scale.end:.2f}"

    drawn = [
        tag("rect", x=frame.x, y=frame.y, width=frame.width, height=frame.height, class_="plot",
            data_cost=ends(x), data_metric=ends(y))
    ]  # fmt: skip
    if limits.cost is not None:
        at = x(limits.cost)
        drawn.append(
            tag("line", x1=at, x2=at, y1=frame.y - 6, y2=frame.bottom, class_="grip",
                data_budget="cost")
        )  # fmt: skip
    if limits.metric is not None:
        at = y(limits.metric)
        drawn.append(
            tag("line", x1=frame.x, x2=frame.right, y1=at, y2=at, class_="grip",
                data_budget="metric")
        )  # fmt: skip
    return drawn


def _staircases(
    points: Sequence[Point], x: Scale, y: Scale, *, higher_is_better: bool
) -> list[Markup]:
    """Draw the front of every series."""
    series = {
        one: [p for p in points if p.series == one]
        for one in dict.fromkeys(p.series for p in points)
    }
    return [_staircase(drawn, x, y, higher_is_better) for drawn in series.values()]


def _staircase(points: Sequence[Point], x: Scale, y: Scale, higher_is_better: bool) -> Markup:
    """Join, from small to large, the points of the front that get better with size."""
    sign = 1 if higher_is_better else -1
    best, corners = -math.inf, list[Point]()
    for point in sorted(
        points, key=lambda p: (p.along.value, -sign * p.metric.value, p.variant.name)
    ):
        shown = y.low <= point.metric.value <= y.high
        if point.variant.on_front and shown and sign * point.metric.value > best:
            best = sign * point.metric.value
            corners.append(point)
    if len(corners) < 2:
        return Markup()
    path = f"M{x(corners[0].along.value):.1f} {y(corners[0].metric.value):.1f}"
    for _, after in pairwise(corners):
        path += f"H{x(after.along.value):.1f}V{y(after.metric.value):.1f}"
    return tag("path", d=path, class_=f"front {points[0].series}".rstrip())


def _pareto_mark(
    point: Point, x: Scale, y: Scale, words: str, exploring: Exploring | None
) -> Markup:
    at, level = x(point.along.value), y(point.metric.value)
    variant = point.variant
    drawn = [tag("title", f"{variant.name}: {words}")]
    if y.low <= point.metric.value <= y.high:
        drawn += _whiskers(point, x, y)
        if variant.verdict == "winner":
            drawn.append(tag("circle", cx=at, cy=level, r=MARK + 5, class_="ring"))
        drawn.append(shape(at, level, variant.verdict, solid=variant.on_front))
    else:
        drawn.append(tag("path", d=f"M{at - 6:.1f} {level - 11:.1f}h12l-6 10z", class_="bar"))
    style, name = point.series or variant.verdict, variant.name if exploring else None
    if exploring and exploring.shown == variant.name:
        style += " is-shown"
    return tag("g", *drawn, class_=style, data_variant=name)


def _whiskers(point: Point, x: Scale, y: Scale) -> list[Markup]:
    at, level = x(point.along.value), y(point.metric.value)
    low, high = y(point.metric.low), y(point.metric.high)
    upright = (
        f"M{at:.1f} {low:.1f}V{high:.1f}M{at - 3.5:.1f} {low:.1f}h7M{at - 3.5:.1f} {high:.1f}h7"
    )
    drawn = [tag("path", d=upright, class_="whisker")]
    if point.along.low < point.along.high:
        left, right = x(point.along.low), x(point.along.high)
        level_ends = f"M{left:.1f} {level - 3.5:.1f}v7M{right:.1f} {level - 3.5:.1f}v7"
        across = f"M{left:.1f} {level:.1f}H{right:.1f}{level_ends}"
        drawn.append(tag("path", d=across, class_="whisker"))
    return drawn


def _names(
    ordered: Sequence[Point], x: Scale, y: Scale, frame: Box, notes: Sequence[Box]
) -> list[Markup]:
    ordered = [point for point in ordered if point.named]
    widest = frame.width * 0.42
    texts = [shorten(_label(point, y), widest) for point in ordered]
    anchors = [
        Anchor(
            x(point.along.value),
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
    boxes = place(anchors, frame, [*marks, *whiskers, *notes])
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


def _words(point: Point, cost: CostAxis, called: Mapping[Verdict, str]) -> str:
    metric = with_interval(point.metric)
    front = ", on the Pareto front" if point.variant.on_front else ""
    return f"{cost.write(point.along.value)}, {metric}, {called[point.variant.verdict]}{front}"


def _pareto_words(
    ordered: Sequence[Point], metric: MetricAxis, cost: CostAxis, called: Mapping[Verdict, str]
) -> str:
    listed = "; ".join(f"{point.variant.name}: {_words(point, cost, called)}" for point in ordered)
    name = f"{cost.name[:1].upper()}{cost.name[1:]}"
    return f"{name} and {metric.title} with interval. {listed}."
