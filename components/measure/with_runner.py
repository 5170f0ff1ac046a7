"""With a runner: the whole report of one model that the user's ``benchmark_model`` has timed."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from components.artifacts.lite_model import MODEL_FILE
from components.artifacts.measurement import (
    Acceleration,
    Measurement,
    Summary,
)
from components.devices.remote.device import RemoteDevice
from components.devices.remote.runner.device import RunnerDevice
from components.devices.remote.runner.program import NAME
from components.devices.timing_plan import TimingPlan
from components.measure.measuring import measured, measurement_of
from components.measure.reporting import write_measurement
from components.measure.runner_medians import PROCESSES, summaries_of, summary_of_runner
from components.measure.timing import Outcome
from components.statistics.resampling import Resampling

ENQUEUED_MS = 0.5
"""Below this, on a GPU, the runtime may have returned before the work was done."""

IN_A_SHELL = (
    "a GPU in a shell was 1.6 to 2.3 times as slow as in an app (LiteRT issue 75): compare "
    "variants, and measure the winner once in the app"
)


def report_behind_shell(
    device: RemoteDevice,
    name: str,
    model: Path,
    report: Path,
    metrics: Path,
    plan: TimingPlan,
    resampling: Resampling,
    *,
    sustained: bool = False,
    energy: bool = False,
    operators: bool = False,
) -> None:
    """Time a LiteModel on a device behind a shell, write what came of it, and end the way there.

    Args:
        device: Where, with a runner or without one; it is closed, whatever happens.
        name: What the device is called.
        model: Folder of the LiteModel.
        report: Folder of ``benchmark.json``.
        metrics: The file of numbers by name.
        plan: How it is timed.
        resampling: How intervals are made.
        sustained: As of ``measurement_of``; no runner tells it.
        energy: Likewise.
        operators: As of ``measurement_with_runner``.

    Raises:
        UserError: As of both.
    """
    with closing(device):
        if isinstance(device, RunnerDevice):
            measurement = measurement_with_runner(
                model, name, device, plan, resampling, operators=operators
            )
        else:
            measurement = measurement_of(
                model, name, device, plan, resampling, sustained=sustained, energy=energy
            )
    write_measurement(measurement, report, metrics)


def measurement_with_runner(
    model: Path,
    name: str,
    device: RunnerDevice,
    plan: TimingPlan,
    resampling: Resampling,
    *,
    operators: bool = False,
) -> Measurement:
    """Time a LiteModel in at least 11 processes of a runner.

    Args:
        model: Its folder.
        name: What the device is called.
        device: Where; it stays open.
        plan: How it is timed; blocks mean nothing to a runner.
        resampling: How sure intervals are.
        operators: Also ask for the time of each operator, in one process more.

    Raises:
        UserError: A plan that the device cannot carry out, the runner cannot measure this, or the
            device went away in between.

    References:
        LiteRT issues 75 (a GPU in a shell and in an app) and 9453 (enqueuing timed).
    """
    plan = replace(plan, processes=max(plan.processes, PROCESSES))

    def complete(outcome: Outcome, measurement: Measurement) -> Measurement:
        measurement = replace(measurement, accelerator=_acceleration(device.accelerator, outcome))
        if outcome.crashed:
            return measurement
        summary = summary_of_runner(outcome.processes, resampling)
        p50_ms = summary.p50_ms.value if summary else None
        return replace(
            measurement,
            summary=summary,
            operators=device.operators(model / MODEL_FILE, plan, p50_ms) if operators else None,
            notes=notes_on(device.accelerator, summary),
        )

    return measured(model, name, device, plan, resampling.seed, NAME, complete)


def _acceleration(asked: str, outcome: Outcome) -> Acceleration:
    told = summaries_of(outcome.processes)
    if told:
        return Acceleration(asked, told[-1].accelerator, told[-1].evidence)
    why = outcome.crashed.cause if outcome.crashed else "no process ended with a result"
    return Acceleration(asked, "unknown", why)


def notes_on(accelerator: str, summary: Summary | None) -> tuple[str, ...]:
    """Return what a reader must know of the numbers of a GPU."""
    if accelerator != "gpu" or summary is None:
        return ()
    notes = [IN_A_SHELL]
    if summary.p50_ms.value < ENQUEUED_MS:
        notes.append(
            f"below {ENQUEUED_MS:g} ms it may be that only the enqueuing was timed, and not the "
            "work (LiteRT issue 9453)"
        )
    return tuple(notes)
