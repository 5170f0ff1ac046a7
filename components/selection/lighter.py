"""Lighter: what makes a model smaller, faster or less hungry where a budget of that kind binds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final

from components.artifacts.budgets import Budgets
from components.artifacts.decision import Candidate
from components.selection.device_budgets import Breach
from components.statistics.quantities import short_bytes, significant, whole_bytes


def beyond(part: float) -> str:
    """Write a share in percent."""
    return f"{significant(100 * part, 2)} %"


def lighter(nearest: Candidate, missed: Mapping[str, Breach], budgets: Budgets) -> Iterator[str]:
    """Say how much smaller or faster the nearest miss would have to be, and what makes it so.

    Args:
        nearest: The candidate.
        missed: By budget its worst breach.
        budgets: What had to be kept.
    """
    limit = budgets.size_bytes
    if "size" in missed and limit is not None:
        part = limit / nearest.file_bytes
        yield (
            f"a smaller file: {nearest.name} has {whole_bytes(nearest.file_bytes)} and "
            f"{short_bytes(limit)} are allowed, {beyond(part)} of it. "
            f"{_narrower(nearest)}prune: {{method: channels, target: parameters, "
            f"remove: {_remove(part)}}} takes about so much away"
        )
    if "latency" in missed:
        part = 1 / (1 + missed["latency"].excess)
        yield (
            f"less work: {nearest.name} takes {beyond(1 / part)} of the latency that is allowed. "
            f"prune: {{method: channels, target: macs, remove: {_remove(part)}}} or a student of "
            "smaller alpha computes less; so do images of fewer pixels (image)"
        )
    for budget in _LESS:
        if budget in missed:
            part = 1 / (1 + missed[budget].excess)
            yield _less(nearest, budget, part)


_LESS: Final = {
    "load": "a shorter load: {told}. Loading reads and packs every weight: {integers}a student of "
    "smaller alpha or {fewer} leaves fewer",
    "memory": "less memory: {told}. It holds the weights and the largest layers' results: "
    "{integers}images of fewer pixels or a student of smaller alpha need less of both",
    "energy": "less energy: {told}. It follows the work of an inference: {integers}{less} or a "
    "student of smaller alpha computes less",
    "arena": "a smaller arena: {told}. It holds the results of layers that are needed at the same "
    "time, mostly of the first: {integers}images of fewer pixels or a student of smaller alpha "
    "make them smaller",
    "flash": "less flash: {told}. It is the whole file: {integers}a student of smaller alpha or "
    "{fewer} makes it smaller",
}
"""By budget what makes less of a number that devices told, and why."""


def _less(one: Candidate, budget: str, part: float) -> str:
    channels = f"{{method: channels, target: TARGET, remove: {_remove(part)}}}"
    return _LESS[budget].format(
        told=f"{one.name} takes {beyond(1 / part)} of what is allowed",
        integers="" if _is_quantized(one) else "quantize: {scheme: int8}, ",
        fewer=f"prune: {channels.replace('TARGET', 'parameters')}",
        less=f"prune: {channels.replace('TARGET', 'macs')}",
    )


def _is_quantized(one: Candidate) -> bool:
    return any(str(step.get("component", "")).startswith("quantize") for step in one.steps)


def _narrower(one: Candidate) -> str:
    """Name the step that a path lacks and that makes every file smaller: 8-bit weights."""
    if _is_quantized(one):
        return "A student of smaller alpha, or "
    return "quantize: {scheme: int8} makes it about four times smaller; a smaller alpha, or "


def _remove(part: float) -> str:
    return f"{min(max(math.ceil(100 * (1 - part)) / 100, 0.05), 0.95):g}"
