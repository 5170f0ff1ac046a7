"""Timing: attempts until one is stable, and what follows from the samples of the last.

The same on every device: what a process measured comes from the device, what it is worth is
decided here and in ``stability``.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.artifacts.measurement import (
    P90_SAMPLES,
    P99_SAMPLES,
    Attempt,
    Crash,
    Measurement,
    Process,
    Summary,
)
from components.contract.progress import tell
from components.contract.provisional import PROVISIONAL
from components.devices.host import check_threads, check_time, run_probe
from components.devices.isolated import again_if_ended
from components.devices.timing_plan import TimingPlan
from components.measure.stability import MOST_WAITED, judge
from components.statistics.bootstrap import Interval, grouped_quantiles, quantile
from components.statistics.resampling import Resampling

PRESSURE = Path("/proc/pressure/cpu")
QUIET_WAITS_S = (0.0, 3.0, 3.0)
"""How long each attempt waits for a quiet moment; a repetition without one would tell the same."""
LOOK_S = 0.25


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        processes: Of the last attempt.
        attempts: All, the last one counts.
        crashed: How the process ended that gave no answer, nor did a fresh one in its place.
    """

    processes: tuple[Process, ...]
    attempts: tuple[Attempt, ...]
    crashed: Crash | None


def measure(
    model: Path, plan: TimingPlan, seed: int, waits_s: tuple[float, ...] = QUIET_WAITS_S
) -> Outcome:
    """Time a ``.tflite``; a disturbed attempt is repeated when the machine is quiet again.

    Args:
        model: The file.
        plan: How.
        seed: Of the input.
        waits_s: How long each attempt waits for a quiet moment.

    Raises:
        UserError: More threads than cores, or a plan longer than its limit.
    """
    check_threads(plan.threads)
    check_time(plan)
    attempts: list[Attempt] = []
    processes: tuple[Process, ...] = ()
    for wait_s in waits_s:
        if wait_s and not is_quiet(wait_s):
            break
        processes = ()
        phase = "process again" if wait_s else "process"
        for number in range(plan.processes):
            tell(phase=phase, part=number, total=plan.processes)
            ran, died = again_if_ended(lambda: run_probe(model, plan, seed))
            if isinstance(ran, Crash):
                verdict = "killed" if ran.outside else "crashed"
                attempts.append(Attempt(verdict, ran.sentence))
                return Outcome(processes, tuple(attempts), ran)
            if died:
                verdict = "killed" if died.outside else "crashed"
                attempts.append(Attempt(verdict, f"{died.cause}, and not in a fresh process"))
            processes += (ran,)
        attempts.append(judge(processes))
        if attempts[-1].verdict == "stable":
            break
    return Outcome(processes, tuple(attempts), None)


def is_quiet(wait_s: float) -> bool:
    """Wait up to ``wait_s`` until hardly anything waits for a processor; False if never.

    True at once where the kernel does not say.
    """
    end, last = time.monotonic() + wait_s, _waited_s()
    while last is not None and time.monotonic() < end:
        time.sleep(LOOK_S)
        now = _waited_s()
        if now is None or now - last < MOST_WAITED / 2 * LOOK_S:
            return True
        last = now
    return last is None


def _waited_s() -> float | None:
    if not PRESSURE.is_file():
        return None
    return int(PRESSURE.read_text().splitlines()[0].rpartition("total=")[2]) / 1e6


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
    drawn_rb = _draws(processes, resampling.resamples, resampling.seed)

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
            process.peak_memory_bytes - process.baseline_memory_bytes for process in processes
        ),
    )


def _draws(processes: tuple[Process, ...], resamples: int, seed: int) -> NDArray[np.int32]:
    """Return resamples x blocks: how often each block was drawn, with its process."""
    random = np.random.default_rng(seed)
    drawn = random.multinomial(len(processes), _even(len(processes)), resamples)
    columns: list[NDArray[np.int64]] = []
    for place, process in enumerate(processes):
        size = len(process.blocks)
        columns.append(random.multinomial(drawn[:, place] * size, _even(size)))
    return np.concatenate(columns, axis=1).astype(np.int32)


def _even(count: int) -> list[float]:
    return [1 / count] * count


def flat_metrics(measurement: Measurement) -> dict[str, float]:
    """Return the summary as Kubeflow Pipelines shows it: numbers by name."""
    flat: dict[str, float] = {
        "size_bytes": measurement.size_bytes,
        "gzip_bytes": measurement.gzip_bytes,
    }
    summary = measurement.summary
    if measurement.verdict == "killed":
        return {**flat, PROVISIONAL: 1}
    if summary is None:
        return {**flat, "crashed": 1}
    for name in ("p50_ms", "p90_ms", "p99_ms"):
        found: Interval | None = getattr(summary, name)
        if found is not None:
            flat |= {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
    return {
        **flat,
        "load_ms": summary.load_ms,
        "first_ms": summary.first_ms,
        "spread_ms": summary.spread_ms,
        "peak_memory_bytes": summary.peak_memory_bytes,
        "disturbed": int(measurement.verdict == "disturbed"),
    }
