"""Words: how pages and cards say what reports keep as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from components.choice import Budgets, Verdict
from components.metrics import METRICS
from components.quantities import decimal, exact_places, milliseconds, significant
from components.statistics import Interval

VERDICTS: dict[Verdict, str] = {
    "winner": "winner",
    "kept": "kept",
    "over-budget": "over budget",
    "undecided": "undecided",
    "failed": "failed",
    "reference": "reference",
}
"""How a verdict is called on pages."""

_TELLING = ("backbone", "alpha", "method", "sparsity", "clusters", "scheme", "source")
_SILENT = frozenset({"post_training", "weights"})


def steps_in_words(steps: Sequence[Mapping[str, Any]]) -> str:
    """Say how a variant was made: ``train resnet50, distill mobilenet_v2 0.35, quantize int8``."""
    return ", ".join(_step(step) for step in steps)


def _step(step: Mapping[str, Any]) -> str:
    told = [step[name] for name in _TELLING if step.get(name) not in (None, *_SILENT)]
    if step.get("alpha") == 1 and "alpha" in step:
        told.remove(step["alpha"])
    values = [significant(value) if isinstance(value, float) else str(value) for value in told]
    return " ".join([str(step["component"]), *values])


def ends(interval: Interval, places: int = 3) -> str:
    """Write the ends of an interval: ``0.012 to 0.052``."""
    return f"{decimal(interval.low, places)} to {decimal(interval.high, places)}"


def ends_ms(interval: Interval) -> str:
    """Write the ends of an interval of milliseconds."""
    return f"{significant(interval.low)} to {milliseconds(interval.high)}"


def count(number: int, noun: str) -> str:
    """Write a count with its noun: ``1 thread``, ``2 threads``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def percent(share: float) -> str:
    """Write a share: ``95 %``."""
    return f"{significant(share * 100, 2)} %"


def budgets_in_words(budgets: Budgets) -> str:
    """Say what had to be kept."""
    title = METRICS[budgets.metric].title
    parts = [f"a drop of {title} of at most {decimal(budgets.drop, exact_places(budgets.drop))}"]
    if budgets.size_mb is not None:
        parts.append(f"{significant(budgets.size_mb)} MB")
    if budgets.latency_ms is not None:
        parts.append(f"{milliseconds(budgets.latency_ms)} (median, on every device)")
    return ", ".join(parts)


def unit_in_words(task: str, resample: str) -> str:
    """Say what the intervals were resampled over."""
    if resample == "identity":
        return "whole identities, because what has to hold is the result on people never seen"
    return "images" if task == "classification" else "images, and with them all their pairs"
