"""Measuring: the whole report of one model on a device, its raw samples included."""

from __future__ import annotations

from pathlib import Path

from components.artifacts.lite_model import MODEL_FILE, LiteModelInfo
from components.artifacts.measurement import MeasuredDevice, Measurement
from components.devices.fingerprint import fingerprint, runtime, state
from components.devices.timing_plan import TimingPlan
from components.measure.timing import QUIET_WAITS_S, measure, summarize
from components.statistics.resampling import Resampling


def measurement_of(
    model: Path,
    device: str,
    plan: TimingPlan,
    resampling: Resampling,
    waits_s: tuple[float, ...] = QUIET_WAITS_S,
) -> Measurement:
    """Time a LiteModel.

    Args:
        model: Its folder.
        device: Where: its name.
        plan: How it is timed.
        resampling: How intervals are made.
        waits_s: How long each attempt waits for a quiet moment.

    Raises:
        UserError: More threads than cores, or a plan longer than its limit.
    """
    info, before = LiteModelInfo.read(model), state()
    outcome = measure(model / MODEL_FILE, plan, resampling.seed, waits_s)
    crashed = outcome.crashed is not None
    return Measurement(
        device=MeasuredDevice(device, fingerprint(), before, state()),
        threads=plan.threads,
        model_sha256=info.sha256,
        size_bytes=info.size_bytes,
        gzip_bytes=info.gzip_bytes,
        runtime=runtime(),
        processes=outcome.processes,
        attempts=outcome.attempts,
        crashed=outcome.crashed,
        summary=None if crashed else summarize(outcome.processes, resampling),
    )
