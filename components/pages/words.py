"""Words: how pages and cards say what reports keep as data."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from components.artifacts.budgets import DEVICE_LIMITS, Budgets, DeviceBudget
from components.artifacts.decision import Verdict
from components.selection.device_budgets import QUANTITIES
from components.statistics.bootstrap import Interval
from components.statistics.metrics import METRICS
from components.statistics.quantities import (
    MEGABYTE,
    decimal,
    exact_places,
    short_bytes,
    short_times,
    significant,
)

VERDICTS: dict[Verdict, str] = {
    "winner": "winner",
    "kept": "kept",
    "over-budget": "over budget",
    "undecided": "undecided",
    "failed": "failed",
    "comparison": "comparison",
    "reference": "reference",
}
"""How a verdict is called on pages."""

_TELLING = (
    "file", "backbone", "alpha", "widths", "method", "sparsity", "clusters", "bits", "scheme",
    "source",
)  # fmt: skip
_SILENT = frozenset({"weights", "own"})
_TARGETS = {
    "macs": "MACs",
    "parameters": "parameters",
    "bytes": "bytes of weights",
    "latency_ms": "predicted milliseconds",
}
"""What a step that removes structure made less of."""
_INTERVAL = re.compile(r"\([-\d.,]+ to [-\d.,]+( [^ ()]+)?\)")
_LAYERS = {
    "frozen": "not trained",
    "trained_again": "saved as frozen and trained all the same",
    "in_float": "in float",
}
"""What happened to so many layers of a step."""


def steps_in_words(steps: Sequence[Mapping[str, Any]]) -> str:
    """Say how a variant was made.

    Example:
        >>> student = {"component": "distill", "backbone": "mobilenet_v2", "alpha": 0.35}
        >>> steps_in_words([student, {"component": "quantize", "scheme": "int8"}])
        'distill mobilenet_v2 0.35, quantize int8'
        >>> steps_in_words([{"component": "import_model", "file": "a.keras", "trained_again": 2}])
        'import_model a.keras (2 layers saved as frozen and trained all the same)'
        >>> narrow = {"component": "prune", "method": "channels", "target": "macs", "removed": 0.52}
        >>> steps_in_words([narrow])
        'prune channels (52 % fewer MACs)'
    """
    return ", ".join(_step(step) for step in steps)


def _step(step: Mapping[str, Any]) -> str:
    values = [step[name] for name in _TELLING if step.get(name) not in (None, *_SILENT)]
    if step.get("alpha") == 1 and "alpha" in step:
        values.remove(step["alpha"])
    words = [significant(value) if isinstance(value, float) else str(value) for value in values]
    notes = [f"{count(step[key], 'layer')} {what}" for key, what in _LAYERS.items() if key in step]
    if "removed" in step:
        notes.append(f"{percent(step['removed'])} fewer {_TARGETS[step['target']]}")
    told = f" ({'; '.join(notes)})" if notes else ""
    return " ".join([str(step["component"]), *words]) + told


def ends(interval: Interval, places: int = 3) -> str:
    """Write the ends of an interval: ``0.012 to 0.052``."""
    return f"{decimal(interval.low, places)} to {decimal(interval.high, places)}"


def ends_ms(interval: Interval) -> str:
    """Write the ends of an interval of milliseconds, in the unit that suits them."""
    return short_times(interval.low, interval.high)


def whole_intervals(text: str) -> str:
    r"""Keep what a line must not end within: what brackets of two numbers hold.

    Example:
        >>> whole_intervals("0.978 (0.921 to 0.998)").split(" ")
        ['0.978', '(0.921\xa0to\xa00.998)']
    """
    return _INTERVAL.sub(lambda found: found[0].replace(" ", "\N{NO-BREAK SPACE}"), text)


def sentence(text: str) -> str:
    """Write a clause as a sentence.

    Example:
        >>> sentence("drop binds: 2 of 3 miss it")
        'Drop binds: 2 of 3 miss it.'
        >>> sentence("raise sealed under split:")
        'Raise sealed under split.'
    """
    return f"{text[:1].upper()}{text[1:].removesuffix(':')}."


def count(number: int, noun: str) -> str:
    """Write a count with its noun: ``1 thread``, ``2 threads``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def percent(share: float) -> str:
    """Write a share: ``95 %``."""
    return f"{significant(share * 100, 2)} %"


def budgets_in_words(budgets: Budgets) -> str:
    """Say what had to be kept.

    Example:
        >>> budgets_in_words(Budgets("auc", drop=0.01, size_mb=5))
        'at most 0.010 less ROC-AUC and 5 MB'
        >>> budgets_in_words(Budgets("auc", 0.01, by_device={"s21": {"latency_ms": 20}}))
        'at most 0.010 less ROC-AUC; on s21 20 ms median latency'
        >>> budgets_in_words(Budgets("auc", drop=0.01, at_least={"tar": 0.8}, per="group"))
        'at most 0.010 less ROC-AUC; at least TAR at FAR 1e-2 0.800, in all and for each group'
    """
    metric, limit = METRICS[budgets.metric], decimal(budgets.drop, exact_places(budgets.drop))
    parts = [f"{limit} {'less' if metric.higher_is_better else 'more'} {metric.title}"]
    if budgets.size_mb is not None:
        parts.append(short_bytes(budgets.size_mb * MEGABYTE))
    parts += [f"{limit} on every device" for limit in limits_in_words(budgets.on_every_device)]
    most = f"at most {_listed(parts)}"
    for device, own in budgets.devices.items():
        most += f"; on {device} {_listed(limits_in_words(own))}"
    return f"{most}{_floors(budgets)}"


def limits_in_words(budget: DeviceBudget) -> list[str]:
    """Say what has to be kept on a device, one budget after the other.

    Example:
        >>> limits_in_words(DeviceBudget(latency_ms=20, arena_kb=64))
        ['20 ms median latency', '64 KiB arena']
    """
    return [
        QUANTITIES[key].written(limit)
        for key in DEVICE_LIMITS
        if (limit := getattr(budget, key)) is not None
    ]


def _listed(parts: Sequence[str]) -> str:
    *head, last = parts
    return f"{', '.join(head)} and {last}" if head else last


def _floors(budgets: Budgets) -> str:
    floors = [
        f"{METRICS[name].title} {decimal(floor, exact_places(floor))}"
        for name, floor in budgets.floors.items()
    ]
    per = f", in all and for each {budgets.per}" if budgets.per else ""
    return f"; at least {' and '.join(floors)}{per}" if floors else ""


def splits_in_words(splits: Mapping[str, int]) -> str:
    """Say how many images each split has: ``train 3,000, validation 600``."""
    order = {name: place for place, name in enumerate(("train", "validation", "selection"))}
    names = sorted(splits, key=lambda name: (order.get(name, len(order)), name))
    return ", ".join(f"{name} {splits[name]:,}" for name in names)


def unit_in_words(task: str, resample: str) -> str:
    """Say what the intervals were resampled over."""
    if resample == "identity":
        return "whole identities, because what has to hold is the result on people never seen"
    return "images" if task == "classification" else "images, and with them all their pairs"
