"""The small bars that a column of drops is read by."""

from __future__ import annotations

from markupsafe import Markup

from components.artifacts.decision import Verdict
from components.pages.charts.axes import Scale
from components.pages.charts.svg import tag
from components.statistics.bootstrap import Interval


def interval_svg(
    interval: Interval, *, low: float, high: float, limit: float, verdict: Verdict
) -> Markup:
    """Draw one drop as a small bar with zero and the budget, to be read down a column.

    Decoration beside the numbers, so hidden from screen readers.

    Args:
        interval: The drop.
        low: Left end of the common axis.
        high: Right end of the common axis.
        limit: The budget.
        verdict: Decides the colour.
    """
    x = Scale(low, high, 5, 115)
    zero, budget = x(0), x(limit)
    return tag(
        "svg",
        tag("line", x1=zero, x2=zero, y1=1, y2=17, class_="axis"),
        tag("line", x1=budget, x2=budget, y1=1, y2=17, class_="budget"),
        tag("line", x1=x(interval.low), x2=x(interval.high), y1=9, y2=9, class_="whisker"),
        tag("circle", cx=x(interval.value), cy=9, r=3.5, class_="mark solid"),
        viewBox="0 0 120 18", class_=f"picture forest {verdict}", aria_hidden="true",
    )  # fmt: skip
