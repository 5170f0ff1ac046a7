"""Sustained: the same model without a pause, and what heat makes of its median."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from components.artifacts.measurement import Crash, LastingLoad, Sustained
from components.contract.progress import tell
from components.devices.device import Device
from components.devices.timing_plan import TimingPlan
from components.measure.energy import lasting_plan
from components.statistics.bootstrap import Interval, quantile
from components.statistics.resampling import Resampling

SUSTAINED_S = 300.0
_SHARE = 1 / 5


def sustained_of(
    device: Device,
    model: Path,
    plan: TimingPlan,
    resampling: Resampling,
    for_s: float = SUSTAINED_S,
) -> Sustained:
    """Run a model without a pause and compare its last minute with its first.

    Args:
        device: Where.
        model: The ``.tflite`` file.
        plan: How it is timed.
        resampling: How intervals are made.
        for_s: How long it runs; what counts is the first and the last fifth.

    Raises:
        LostError: The device went away.
    """
    tell(phase="sustained", part=0, total=1)
    ran = device.time(model, lasting_plan(plan, for_s), resampling.seed)
    if isinstance(ran, Crash):
        return Sustained(0.0, None, None, f"the process ended with {ran.cause}")
    assert ran.lasting is not None, "it was asked for"
    return compared(ran.lasting, resampling)


def compared(load: LastingLoad, resampling: Resampling) -> Sustained:
    """Return the medians of the first and the last fifth of a load.

    Args:
        load: Of at least one slice.
        resampling: Slices are drawn: samples in a row resemble each other.
    """
    seconds = load.end_s - load.start_s
    medians_ms, ends_s = np.array(load.medians_ms), np.array(load.ends_s)
    starts_s = np.concatenate(([0.0], ends_s[:-1]))
    first = medians_ms[starts_s < _SHARE * seconds]
    last = medians_ms[ends_s > (1 - _SHARE) * seconds]

    def interval(slices_ms: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Interval:
        random = np.random.default_rng(resampling.seed)
        drawn = random.integers(0, slices_ms.size, (resampling.resamples, slices_ms.size))
        tail = (1 - resampling.confidence) / 2
        low, high = np.quantile(np.median(slices_ms[drawn], axis=1), [tail, 1 - tail])
        return Interval(quantile(slices_ms, 0.5), float(low), float(high))

    return Sustained(seconds, interval(first), interval(last))
