"""Timing: attempts until one is stable, and what follows from the samples of the last.

The same on every device: what a process measured comes from the device, what it is worth is
decided here and in ``stability``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from components.artifacts.measurement import (
    P90_SAMPLES,
    P99_SAMPLES,
    Attempt,
    Crash,
    Measurement,
    Process,
    States,
    Summary,
)
from components.contract.errors import UserError
from components.contract.progress import tell
from components.contract.provisional import PROVISIONAL
from components.devices.device import Device
from components.devices.isolated import again_if_ended
from components.devices.timing_plan import TimingPlan
from components.measure.stability import judge
from components.measure.throttling import fastest_reference_ms
from components.statistics.bootstrap import Interval, grouped_quantiles, quantile
from components.statistics.resampling import Resampling
from components.statistics.two_stage import block_draws


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        processes: Of the last attempt.
        attempts: All, the last one counts.
        crashed: How the process ended that gave no answer, nor did a fresh one in its place.
        states: Of the device, before and after every process of the last attempt.
    """

    processes: tuple[Process, ...]
    attempts: tuple[Attempt, ...]
    crashed: Crash | None
    states: tuple[States, ...]

    def judged(self, best_reference_ms: float | None) -> Outcome:
        """Return it with a verdict on its processes."""
        verdict = judge(self.processes, self.states, best_reference_ms)
        return replace(self, attempts=(*self.attempts, verdict))


def measure(
    device: Device, model: Path, plan: TimingPlan, seed: int, name: str = "the device"
) -> Outcome:
    """Time a ``.tflite``; a disturbed attempt is repeated when the device is quiet again.

    Args:
        device: Where.
        model: The file.
        plan: How.
        seed: Of the input.
        name: What the device is called in sentences.

    Raises:
        UserError: A plan that the device cannot carry out, or it does not become cool and quiet.
        LostError: It went away.
    """
    device.check(plan)
    attempts: list[Attempt] = []
    last = Outcome((), (), None, ())
    for wait_s in device.waits_s:
        if wait_s and not device.settle(wait_s):
            if not attempts:
                raise UserError(
                    f"{name} is not cool and quiet after {wait_s:g} s",
                    "let it cool down, end what runs on it, or raise its cooldown_s",
                )
            break
        last = _attempt(device, model, plan, seed, again=bool(attempts))
        if not last.crashed:
            found_ms = fastest_reference_ms(last.processes)
            cores = last.processes[0].cores
            last = last.judged(device.best_reference_ms(cores, found_ms))
        attempts += last.attempts
        if last.crashed or attempts[-1].verdict in ("stable", "absent"):
            break
    return replace(last, attempts=tuple(attempts))


def _attempt(device: Device, model: Path, plan: TimingPlan, seed: int, *, again: bool) -> Outcome:
    """Time a model in all processes of a plan, once."""
    attempts: list[Attempt] = []
    processes: list[Process] = []
    states: list[States] = []

    def run() -> Process | Crash:
        before = device.state()
        ran = device.time(model, plan, seed)
        states.append(States(before, device.state()))
        return ran

    for number in range(plan.processes):
        tell(phase="process again" if again else "process", part=number, total=plan.processes)
        ran, died = again_if_ended(run)
        if isinstance(ran, Crash):
            verdict = "killed" if ran.outside else "crashed"
            attempts.append(Attempt(verdict, ran.sentence))
            return Outcome(tuple(processes), tuple(attempts), ran, tuple(states))
        if died:
            verdict = "killed" if died.outside else "crashed"
            attempts.append(Attempt(verdict, f"{died.cause}, and not in a fresh process"))
        processes.append(ran)
    return Outcome(tuple(processes), tuple(attempts), None, tuple(states))


def summarize(processes: tuple[Process, ...], resampling: Resampling) -> Summary:
    """Derive the summary from raw samples.

    Intervals come from a bootstrap in two stages, processes and then blocks within them: samples
    in a row resemble each other, as do those of one process, so neither may be drawn one by one.

    Args:
        processes: At least one.
        resampling: How intervals are made.
    """
    values = np.concatenate([process.samples_ms for process in processes])
    blocks = [block.runs for process in processes for block in process.blocks]
    drawn_rb = block_draws([len(process.blocks) for process in processes], resampling)

    def interval(share: float, floor: int) -> Interval | None:
        if values.size < floor:
            return None
        tail = (1 - resampling.confidence) / 2
        drawn = grouped_quantiles(values, blocks, drawn_rb, share)
        low, high = np.quantile(drawn, [tail, 1 - tail])
        return Interval(quantile(values, share), float(low), float(high))

    p50 = interval(0.5, 1)
    assert p50 is not None
    medians = [process.p50_ms for process in processes]
    return Summary(
        samples=values.size,
        load_ms=float(np.median([process.load_ms for process in processes])),
        first_ms=float(np.median([process.first_ms for process in processes])),
        p50_ms=p50,
        p90_ms=interval(0.9, P90_SAMPLES),
        p99_ms=interval(0.99, P99_SAMPLES),
        spread_ms=max(medians) - min(medians),
        peak_memory_bytes=max(
            (each for each in (process.memory_bytes for process in processes) if each is not None),
            default=None,
        ),
        load_high_ms=max(process.load_ms for process in processes),
    )


def flat_metrics(measurement: Measurement) -> dict[str, float]:
    """Return the summary as Kubeflow Pipelines shows it: numbers by name."""
    flat: dict[str, float] = {
        "size_bytes": measurement.size_bytes,
        "gzip_bytes": measurement.gzip_bytes,
        **_known(measurement, ("arena_bytes", "flash_bytes")),
    }
    summary = measurement.summary
    if measurement.verdict == "killed":
        return {**flat, PROVISIONAL: 1}
    if measurement.verdict == "absent":
        return {**flat, "absent": 1}
    if summary is None:
        return flat if "arena_bytes" in flat else {**flat, "crashed": 1}
    for name in ("p50_ms", "p90_ms", "p99_ms"):
        found: Interval | None = getattr(summary, name)
        if found is not None:
            flat |= {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
    if (lasting := measurement.sustained) and lasting.p50_ms:
        flat["sustained_p50_ms"] = lasting.p50_ms.value
    if (energy := measurement.energy) and energy.mj_per_inference:
        flat["mj_per_inference"] = energy.mj_per_inference.value
    return {
        **flat,
        **_known(summary, ("load_ms", "first_ms", "peak_memory_bytes")),
        "spread_ms": summary.spread_ms,
        "disturbed": int(measurement.verdict in ("disturbed", "throttled")),
    }


def _known(record: Measurement | Summary, names: tuple[str, ...]) -> dict[str, float]:
    """Return the numbers of a record under their names, without those that nobody told."""
    values = {name: getattr(record, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}
