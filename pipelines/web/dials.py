"""Budgets as fields of a form that can be moved: where each stands, and how far it may go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from components.artifacts.budgets import Budgets
from components.artifacts.decision import Decision
from components.statistics.metrics import METRICS
from components.statistics.quantities import MEGABYTE
from pipelines.web.budgets_asked import FLOOR, KILOBYTE
from pipelines.web.pareto_axes import DROP


@dataclass(frozen=True)
class Dial:
    """A budget that can be moved.

    Attributes:
        field: Its name in the query.
        label: What it limits, with the unit.
        value: As it stands, in that unit, exactly; empty for no limit.
        low: Where a slide for it begins.
        high: Where it ends.
        log: Whether equal ways on it are equal ratios.
        none: What an empty value is called; empty where there has to be a value.
        floor: Whether it limits from below: no limit is its lowest place.
    """

    field: str
    label: str
    value: str
    low: float
    high: float
    log: bool = False
    none: str = "no limit"
    floor: bool = False


def dials_of(decision: Decision, budgets: Budgets, metric: str) -> Iterator[Dial]:
    """Yield the budgets that can be moved.

    Args:
        decision: As it was made.
        budgets: As they stand.
        metric: The axis that runs upwards: its floor is among them, if it can have one.
    """
    own = decision.budgets
    sizes = [float(one.size_bytes) for one in decision.variants if one.size_bytes]
    sizes += [float(own.size_bytes)] if own.size_bytes else []
    if sizes:
        size = budgets.size_mb and budgets.size_mb * MEGABYTE / KILOBYTE
        low, high = min(sizes) / KILOBYTE / 1.5, max(sizes) / KILOBYTE * 1.5
        yield Dial("size_kb", "Size, kB", _written(size), low, high, log=True)
    timings = [item.p50_ms for one in decision.variants for item in one.latency.values()]
    times = [end for p50 in timings if p50 for end in (p50.low, p50.high) if end > 0]
    times += [own.latency_ms] if own.latency_ms else []
    if times:
        low, high = min(times) / 1.5, max(times) * 1.5
        yield Dial("latency_ms", "Latency, ms", _written(budgets.latency_ms), low, high, log=True)
    drops = [one.drop.high for one in decision.variants if one.drop and one.candidate]
    high = max([0.001, 3 * own.drop, *drops]) * 1.2
    label = f"Drop of {METRICS[decision.metric].title}"
    yield Dial(DROP, label, _written(budgets.drop), 0.0, high, none="")
    yield from _floors(decision, budgets, metric)


def _floors(decision: Decision, budgets: Budgets, metric: str) -> Iterator[Dial]:
    """Yield the floors that there are or were, of the metric that decides, and of the axis."""
    shown = {*decision.budgets.floors, *budgets.floors, decision.metric, metric}
    for name, known in METRICS.items():
        if name not in shown or not known.higher_is_better:
            continue
        ends = [one.metrics[name].low for one in decision.variants if name in one.metrics]
        low = min([0.9, *ends, *(one for one in (budgets.floors.get(name),) if one is not None)])
        yield Dial(
            f"{FLOOR}{name}", f"Least {known.title}", _written(budgets.floors.get(name)),
            max(0.0, low - 0.05), 1.0, none="no floor", floor=True,
        )  # fmt: skip


def _written(value: float | None) -> str:
    """Write a number such that reading it gives the same one."""
    return "" if value is None else f"{value:.12g}"
