"""Budgets as fields of a form that can be moved: where each stands, and how far it may go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from components.artifacts.budgets import DEVICE_LIMITS, Budgets, DeviceBudget, DeviceLimit
from components.artifacts.decision import Decision
from components.selection.device_budgets import QUANTITIES
from components.statistics.metrics import METRICS
from components.statistics.quantities import MEGABYTE
from pipelines.web.budgets_asked import FLOOR, KILOBYTE, own_field
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
    for key in DEVICE_LIMITS:
        yield from _on_devices(decision, budgets, key)
    drops = [one.drop.high for one in decision.variants if one.drop and one.candidate]
    high = max([0.001, 3 * own.drop, *drops]) * 1.2
    label = f"Drop of {METRICS[decision.metric].title}"
    yield Dial(DROP, label, _written(budgets.drop), 0.0, high, none="")
    yield from _floors(decision, budgets, metric)


def _on_devices(decision: Decision, budgets: Budgets, key: DeviceLimit) -> Iterator[Dial]:
    """Yield the dial of a budget of all devices, and those of devices that have one of their own.

    There is one where any device told the number that it limits.
    """
    own, label = decision.budgets, _LABELS[key]
    alone = [device for device in own.by_device or {} if own.is_own(device, key)]
    general = [device for device in decision.devices if device not in alone]
    for device, places in ((None, general), *((device, [device]) for device in alone)):
        ends = [end for one in places for end in _told(decision, one, key)]
        given = [getattr(own if device is None else own.on(device), key)]
        ends += [limit for limit in given if limit]
        if not ends:
            continue
        now = (
            budgets.on_every_device
            if device is None
            else DeviceBudget(**(budgets.by_device or {}).get(device, {}))
        )
        yield Dial(
            key if device is None else own_field(device, key),
            label if device is None else f"{label}, on {device}",
            _written(getattr(now, key)), min(ends) / 1.5, max(ends) * 1.5, log=True,
            none="no limit" if device is None or getattr(own, key) is None else "as elsewhere",
        )  # fmt: skip


def _told(decision: Decision, device: str, key: DeviceLimit) -> Iterator[float]:
    """Yield what variants take on a device, in the unit of the budget."""
    quantity = QUANTITIES[key]
    for one in decision.variants:
        timing = one.latency.get(device)
        worst = timing and quantity.worst(timing)
        if timing and worst:
            yield worst / quantity.unit
            if key == "latency_ms" and timing.p50_ms and timing.p50_ms.low > 0:
                yield timing.p50_ms.low


_LABELS: Mapping[DeviceLimit, str] = {
    "latency_ms": "Latency, ms",
    "load_ms": "Load, ms",
    "memory_mb": "Peak memory, MB",
    "energy_mj": "Energy an inference, mJ",
    "arena_kb": "Arena, KiB",
    "flash_kb": "Flash, KiB",
}


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
