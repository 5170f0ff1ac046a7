"""Energy: what an inference takes above the idle device, from windows with and without load."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from components.artifacts.measurement import Crash, Energy
from components.contract.progress import tell
from components.devices.device import Device
from components.devices.power import MeterError, Recording
from components.devices.timing_plan import LastingPlan, TimingPlan
from components.statistics.bootstrap import Interval
from components.statistics.resampling import Resampling

PAIRS, WINDOW_S = 6, 10.0


@dataclass(frozen=True)
class WindowPair:
    """An idle window and the loaded one after it.

    Attributes:
        idle_w: Power without load.
        joules: Energy of the loaded window.
        seconds: How long that was.
        inferences: How many there were in it.
    """

    idle_w: float
    joules: float
    seconds: float
    inferences: int

    @property
    def mj_per_inference(self) -> float:
        """Energy above the idle device's, millijoules an inference."""
        return 1e3 * (self.joules - self.idle_w * self.seconds) / self.inferences


def energy_of(
    device: Device,
    model: Path,
    plan: TimingPlan,
    resampling: Resampling,
    window_s: float = WINDOW_S,
) -> Energy:
    """Measure what an inference takes, or say why that cannot be measured.

    Args:
        device: Where.
        model: The ``.tflite`` file.
        plan: How it is timed.
        resampling: How the interval is made.
        window_s: Length of a window.

    Raises:
        LostError: The device went away.
    """
    meter = device.meter()
    if isinstance(meter, str):
        return Energy("", None, meter)
    lasting = lasting_plan(plan, window_s)
    pairs: list[WindowPair] = []
    try:
        with Recording(meter, look_s=window_s / 100) as recording:
            for number in range(PAIRS):
                tell(phase="energy", part=number, total=PAIRS)
                found = _pair(device, model, lasting, resampling.seed, recording, window_s)
                if isinstance(found, Crash):
                    return Energy(meter.scope, None, f"the process ended with {found.cause}")
                pairs.append(found)
    except MeterError as error:
        return Energy(meter.scope, None, str(error))
    return summarized(pairs, meter.scope, resampling)


def _pair(
    device: Device,
    model: Path,
    lasting: LastingPlan,
    seed: int,
    recording: Recording,
    window_s: float,
) -> WindowPair | Crash:
    """Record an idle window and then a loaded one, whose load runs on the device itself."""
    start_s = recording.mark()
    time.sleep(window_s)
    idle_s = recording.mark()
    ran = device.time(model, lasting, seed)
    if isinstance(ran, Crash):
        return ran
    load = ran.lasting
    assert load is not None, "it was asked for"
    recording.mark()  # comes after the end of the load
    idle_w = recording.between(start_s, idle_s) / (idle_s - start_s)
    joules = recording.between(load.start_s, load.end_s)
    return WindowPair(idle_w, joules, load.end_s - load.start_s, load.inferences)


def lasting_plan(plan: TimingPlan, for_s: float) -> LastingPlan:
    """Return a plan of one process that runs without a pause."""
    return LastingPlan(
        threads=plan.threads,
        processes=1,
        blocks=1,
        block_ms=plan.block_ms,
        warm_up_ms=plan.warm_up_ms,
        limit_s=plan.limit_s + 2 * for_s,
        for_s=for_s,
    )


def summarized(pairs: Sequence[WindowPair], scope: str, resampling: Resampling) -> Energy:
    """Return the mean over the pairs with its bootstrap interval, if it is above nothing.

    Args:
        pairs: At least one.
        scope: What the meter sees.
        resampling: How the interval is made.
    """
    found = np.array([pair.mj_per_inference for pair in pairs])
    random = np.random.default_rng(resampling.seed)
    drawn = random.integers(0, len(found), (resampling.resamples, len(found)))
    tail = (1 - resampling.confidence) / 2
    low, high = np.quantile(found[drawn].mean(axis=1), [tail, 1 - tail])
    if low < 0:
        told = f"{low:.2g} to {high:.2g} mJ an inference: the idle device's own power hides it"
        return Energy(scope, None, told)
    return Energy(scope, Interval(float(found.mean()), float(low), float(high)), "")
