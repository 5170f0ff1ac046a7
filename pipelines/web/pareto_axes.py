"""What the axes of a decision's Pareto picture may show, and which budgets are drawn on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from components.artifacts.budgets import Budgets
from components.artifacts.decision import Candidate, Decision
from components.pages.charts.gallery import allowed_metric
from components.pages.charts.pareto_parts import BudgetLines, CostAxis, MetricAxis, Point
from components.pages.measurements import timed_devices
from components.statistics.bootstrap import Interval
from components.statistics.metrics import METRICS
from components.statistics.quantities import short_time, significant

DROP = "drop"
"""The axis that shows the drop itself, as it is judged."""
LATENCY = "latency-"
"""What the name of the axis of a device's latency begins with."""
_COUNTS: Mapping[str, tuple[str, CostAxis]] = {
    "size": ("size_bytes", CostAxis()),
    "gzip": ("gzip_bytes", CostAxis("size after gzip", "size after gzip")),
    "memory": ("peak_memory_bytes", CostAxis("peak memory", "peak memory")),
    "parameters": (
        "parameters",
        CostAxis("parameters", "parameters", lambda value: f"{significant(value)}"),
    ),
}
"""Costs that are counts: the attribute of a candidate, and the axis."""


def cost_axes(decision: Decision) -> dict[str, CostAxis]:
    """Return the axes that any variant has numbers for, by name."""
    axes = {
        name: axis
        for name, (attribute, axis) in _COUNTS.items()
        if any(getattr(one, attribute) for one in decision.variants)
    }
    for device in timed_devices(decision):
        title = f"median latency on {device}"
        axes[f"{LATENCY}{device}"] = CostAxis(title, f"latency on {device}", short_time)
    return axes


def metric_axes(decision: Decision) -> dict[str, MetricAxis]:
    """Return every metric that was measured, the one that counts first, and its drop."""
    title = METRICS[decision.metric].title
    known = {name for one in decision.variants for name in one.metrics}
    names = [decision.metric, *(name for name in METRICS if name in known - {decision.metric})]
    axes = {name: MetricAxis(METRICS[name].title, METRICS[name].higher_is_better) for name in names}
    for name in names[1:]:
        axes[name] = replace(axes[name], limit_name="floor")
    axes[DROP] = MetricAxis(f"drop of {title}", higher_is_better=False, limit_name="budget")
    return axes


def points_of(decision: Decision, cost: str, metric: str) -> list[Point]:
    """Return the variants that have a number on both axes."""
    found = ((one, _cost(one, cost), _metric(one, metric)) for one in decision.variants)
    return [Point(one, upwards, along) for one, along, upwards in found if along and upwards]


def _cost(one: Candidate, name: str) -> Interval | None:
    if name.startswith(LATENCY):
        timing = one.latency.get(name.removeprefix(LATENCY))
        found = timing.p50_ms if timing else None
        return found if found and found.low > 0 else None
    count = getattr(one, _COUNTS[name][0])
    return Interval(float(count), float(count), float(count)) if count else None


def _metric(one: Candidate, name: str) -> Interval | None:
    return one.drop if name == DROP else one.metrics.get(name)


def limits_of(decision: Decision, budgets: Budgets, cost: str, metric: str) -> BudgetLines:
    """Return the budgets that can be drawn on two axes."""
    along = None
    if cost == "size":
        along = budgets.size_bytes
    elif cost.startswith(LATENCY):
        along = budgets.on(cost.removeprefix(LATENCY)).latency_ms
    if metric == DROP:
        return BudgetLines(along, budgets.drop)
    if metric == decision.metric:
        return BudgetLines(along, allowed_metric(replace(decision, budgets=budgets)))
    return BudgetLines(along, budgets.floors.get(metric))
