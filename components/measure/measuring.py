"""Measuring: the whole report of one model on a device, its raw samples included."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from components.artifacts.lite_model import MODEL_FILE, LiteModelInfo
from components.artifacts.measurement import (
    Acceleration,
    MeasuredDevice,
    Measurement,
    Process,
)
from components.contract.errors import UserError
from components.devices.device import Device, LostError
from components.devices.fingerprint import RUNTIME
from components.devices.timing_plan import TimingPlan
from components.measure.cooling import cool_down
from components.measure.energy import energy_of
from components.measure.sustained import sustained_of
from components.measure.timing import Outcome, measure, summarize
from components.statistics.resampling import Resampling

TAKE_S = 3600.0
"""How long a device that others measure on is waited for."""


def measurement_of(
    model: Path,
    name: str,
    device: Device,
    plan: TimingPlan,
    resampling: Resampling,
    *,
    sustained: bool = False,
    energy: bool = False,
) -> Measurement:
    """Time a LiteModel.

    Args:
        model: Its folder.
        name: What the device is called.
        device: Where; it stays open.
        plan: How it is timed.
        resampling: How intervals are made.
        sustained: Also run it for five minutes without a pause.
        energy: Also measure what an inference takes, for two minutes.

    Raises:
        UserError: A plan that the device cannot carry out, or the device cannot be measured, or it
            went away in between.
    """
    file = model / MODEL_FILE

    def complete(outcome: Outcome, measurement: Measurement) -> Measurement:
        measurement = replace(measurement, accelerator=_cpu(outcome))
        if outcome.crashed:
            return measurement
        return replace(
            measurement,
            summary=summarize(outcome.processes, resampling),
            energy=energy_of(device, file, plan, resampling) if energy else None,
            sustained=sustained_of(device, file, plan, resampling) if sustained else None,
        )

    return measured(model, name, device, plan, resampling.seed, RUNTIME, complete)


def measured(
    model: Path,
    name: str,
    device: Device,
    plan: TimingPlan,
    seed: int,
    runtime: str,
    complete: Callable[[Outcome, Measurement], Measurement],
) -> Measurement:
    """Time a LiteModel on a device that is had for it alone.

    Args:
        model: Its folder.
        name: What the device is called.
        device: Where; it stays open.
        plan: How it is timed.
        seed: Of the input.
        runtime: What the runtime is called.
        complete: Adds the summary and what else is measured, while the device is still held.

    Raises:
        UserError: As of ``measurement_of``.
    """
    info = LiteModelInfo.read(model)
    try:
        with device.take(TAKE_S):
            seen, installed = device.look(), device.install()
            outcome = measure(device, model / MODEL_FILE, plan, seed, name)
            measurement = complete(
                outcome,
                Measurement(
                    device=MeasuredDevice(
                        name=name,
                        fingerprint=seen.fingerprint,
                        states=outcome.states,
                        kind=device.kind,
                        id=seen.id,
                        transport=seen.transport,
                    ),
                    threads=plan.threads,
                    model_sha256=info.sha256,
                    size_bytes=info.size_bytes,
                    gzip_bytes=info.gzip_bytes,
                    runtime={
                        "name": runtime,
                        "version": installed.version,
                        "source": installed.source,
                        "sha256": installed.sha256,
                    },
                    processes=outcome.processes,
                    attempts=outcome.attempts,
                    crashed=outcome.crashed,
                    summary=None,
                ),
            )
            if any(device.waits_s[:1]):  # those that are waited for can become hot
                cool_down(device, seen.state)
    except LostError as error:
        raise UserError(
            f"{name} went away while it was measured: {error}",
            "look at its cable, hub and power, and run again: what is done stays done",
        ) from error
    return measurement


def _cpu(outcome: Outcome) -> Acceleration:
    """Return what is known of the processor's own delegate, which is all that was asked for."""
    last: Process | None = outcome.processes[-1] if outcome.processes else None
    pieces = last.delegate_partitions if last else None
    told = "unknown" if pieces is None else f"XNNPACK runs {pieces} partitions"
    return Acceleration("cpu", "cpu", told)
