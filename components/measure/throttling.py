"""Throttling: whether a device slowed itself down, by its own word or by a loop that never changes.

References:
    Jetpack Microbenchmark (a loop of its own shows throttling where nothing can be read).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from components.artifacts.measurement import Process, States
from components.statistics.bootstrap import quantile
from components.statistics.quantities import milliseconds

MOST_SLOWER = 0.1
"""By which part the reference loop, or later blocks, may be slower."""
_NOW, _EVER = 0xF, 0xF0000
"""Bits of a Raspberry Pi's firmware: too little voltage, clock capped, throttled, soft limit of
heat; at the moment, and at any time since it was started."""
_FELL = 0.99
_TOLD_BY = ("thermal_status", "throttled_bits", "max_frequency_mhz", "frequency_mhz")


def told_by_device(states: Sequence[States]) -> str | None:
    """Return in what words a device says itself that it is slowed down, or None.

    Args:
        states: Of all processes, in their order.
    """
    readings = [each for pair in states for each in (pair.before, pair.after)]
    status = max(_numbers(readings, "thermal_status"), default=0)
    if status >= 1:
        return f"its thermal status was {status:g}"
    bits = [int(each) for each in _numbers(readings, "throttled_bits")]
    if bits and (seen := _bits(bits)):
        return f"get_throttled told {seen:#x}"
    limits = _numbers(readings, "max_frequency_mhz")
    if limits and min(limits) < _FELL * limits[0]:
        return f"its highest clock fell from {limits[0]:.0f} to {min(limits):.0f} MHz"
    return None


def _bits(told: Sequence[int]) -> int:
    """Return the bits that are set at any reading, and those that were set since the first."""
    seen = 0
    for each in told:
        seen |= each & _NOW | each & ~told[0] & _EVER
    return seen


def is_told(states: Sequence[States]) -> bool:
    """Whether a device lets its clocks or a thermal status be read, so that silence means cool."""
    readings = [each for pair in states for each in (pair.before, pair.after)]
    return any(_numbers(readings, name) for name in _TOLD_BY)


def _numbers(readings: Sequence[Mapping[str, float | str]], name: str) -> list[float]:
    found = [each.get(name) for each in readings]
    return [float(each) for each in found if isinstance(each, int | float)]


def fastest_reference_ms(processes: Sequence[Process]) -> float | None:
    """Return the fastest reference loop of some processes; None where there was none."""
    pairs = [(each.reference_ms_before, each.reference_ms_after) for each in processes]
    return min((each for pair in pairs for each in pair if each is not None), default=None)


def slower_reference(processes: Sequence[Process], best_ms: float | None) -> str | None:
    """Say how much slower than the device's best the reference loop was at the end, if it was.

    The middle one of all processes counts: one of them may have met with anything.

    Args:
        processes: Of one attempt.
        best_ms: The fastest that this device has shown; None where that is unknown.
    """
    after = [each.reference_ms_after for each in processes if each.reference_ms_after is not None]
    if not after or best_ms is None:
        return None
    usual_ms = quantile(np.array(after), 0.5)
    if usual_ms <= (1 + MOST_SLOWER) * best_ms:
        return None
    return (
        f"the reference loop slowed down, from {milliseconds(best_ms)} to {milliseconds(usual_ms)}"
    )


def kept_its_speed(processes: Sequence[Process]) -> bool:
    """Whether the reference loop shows that the processor was not slower at the end."""
    grown = [
        each.reference_ms_after / each.reference_ms_before
        for each in processes
        if each.reference_ms_after is not None and each.reference_ms_before
    ]
    return bool(grown) and quantile(np.array(grown), 0.5) <= 1 + MOST_SLOWER / 2


def thirds_ms(processes: Sequence[Process]) -> tuple[float, float]:
    """Return the median block of the first thirds of all processes, and of the last thirds."""
    early: list[float] = []
    late: list[float] = []
    for process in processes:
        medians, third = process.blocks_p50_ms, len(process.blocks) // 3
        early += medians[:third] or medians
        late += medians[-third:] if third else medians
    return quantile(np.array(early), 0.5), quantile(np.array(late), 0.5)
