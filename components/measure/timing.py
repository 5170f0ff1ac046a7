"""Timing: attempts until one is stable, judged by their evidence and summarized.

The same on every device: what a process measured comes from the device, what it is worth is
decided here.
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
from components.devices.host import check_threads, run_probe
from components.devices.timing_plan import TimingPlan
from components.statistics.bootstrap import Interval, quantile, weighted_quantiles
from components.statistics.resampling import Resampling

INTERRUPTED = 0.2
"""Involuntary switches a sample from which on a block's median may be what a scheduler left."""
MOST_OFF = 0.3
"""By which part a block's median may lie off the median block's."""
MOST_DISTURBED = 1 / 3
"""Of the blocks may be interrupted or off before the whole is disturbed."""
MOST_WAITED = 0.5
"""Share of the time for which something may have waited for a processor."""
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
        crashed: How the process ended that gave no answer.
    """

    processes: tuple[Process, ...]
    attempts: tuple[Attempt, ...]
    crashed: Crash | None


def measure(model: Path, plan: TimingPlan, seed: int) -> Outcome:
    """Time a ``.tflite``; a disturbed attempt is repeated when the machine is quiet again.

    Args:
        model: The file.
        plan: How.
        seed: Of the input.

    Raises:
        UserError: More threads than cores.
    """
    check_threads(plan.threads)
    attempts: list[Attempt] = []
    processes: tuple[Process, ...] = ()
    for wait_s in QUIET_WAITS_S:
        if attempts and not is_quiet(wait_s):
            break
        processes = ()
        phase = "process again" if attempts else "process"
        for number in range(plan.processes):
            tell(phase=phase, part=number, total=plan.processes)
            ran = run_probe(model, plan, seed)
            if isinstance(ran, Crash):
                attempts.append(Attempt("crashed", ran.sentence))
                return Outcome(processes, tuple(attempts), ran)
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


def judge(processes: tuple[Process, ...]) -> Attempt:
    """Say whether medians can be believed, and on what evidence.

    A block is *interrupted* when its inferences were put aside often enough to reach the median,
    and *off* when its median is not the others', which also shows what no counter does: a
    neighbour on the same core, a clock that fell. A switch that hits one inference in a hundred
    moves no median and is no reason to disbelieve. A *busy* machine is: all blocks agree on
    it, and all are slow alike, because processors share caches, memory and often their units.

    Args:
        processes: All of one attempt, at least one.
    """
    blocks = [block for process in processes for block in process.blocks]
    medians = np.array([each for process in processes for each in process.blocks_p50_ms])
    interrupted = np.array(
        [block.involuntary_switches > INTERRUPTED * block.runs for block in blocks]
    )
    off = np.abs(medians / quantile(medians, 0.5) - 1) > MOST_OFF
    bad = int(np.count_nonzero(interrupted | off))
    waited = _waited(processes)
    p50s = [process.p50_ms for process in processes]
    evidence = (
        f"{len(blocks) - bad} of {len(blocks)} blocks undisturbed "
        f"({np.count_nonzero(interrupted)} interrupted, {np.count_nonzero(off)} more than "
        f"{MOST_OFF:.0%} off the median block); {len(processes)} processes "
        f"{max(p50s) / min(p50s) - 1:.0%} apart; something waited for a processor "
        f"{'for an unknown part' if waited is None else f'{waited:.0%}'} of the time; "
        f"other programs kept {_others(processes):.1f} cores busy"
    )
    if bad > MOST_DISTURBED * len(blocks):
        return Attempt("disturbed", evidence)
    if waited is not None and waited > MOST_WAITED:
        return Attempt("disturbed", f"the machine was busy {waited:.0%} of the time; {evidence}")
    return Attempt("stable", evidence)


def _waited(processes: tuple[Process, ...]) -> float | None:
    """Return for which share of all blocks something on the machine waited for a processor."""
    blocks = [block for process in processes for block in process.blocks]
    waits_us = [block.psi_cpu_us for block in blocks if block.psi_cpu_us is not None]
    if not waits_us:
        return None
    return min(1.0, sum(waits_us) / 1e3 / sum(block.wall_ms for block in blocks))


def _others(processes: tuple[Process, ...]) -> float:
    """Return how many cores were busy with something else."""
    machines = [process.machine for process in processes]
    others_ms = sum(machine["busy_ms"] - machine["own_cpu_ms"] for machine in machines)
    return max(0.0, others_ms / sum(machine["wall_ms"] for machine in machines))


def summarize(processes: tuple[Process, ...], resampling: Resampling) -> Summary:
    """Derive the summary from raw samples.

    Intervals come from a bootstrap in two stages, processes and then blocks within them: samples
    in a row resemble each other, as do those of one process, so neither may be drawn one by one.

    Args:
        processes: At least one.
        resampling: How intervals are made.
    """
    values = np.concatenate([process.samples_ms for process in processes])
    weights = _draws(processes, resampling.resamples, resampling.seed)

    def interval(share: float, floor: int) -> Interval | None:
        if values.size < floor:
            return None
        tail = (1 - resampling.confidence) / 2
        drawn = weighted_quantiles(values, weights, share)
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
    """Return resamples x samples: how often each sample was drawn, with its process and block."""
    random = np.random.default_rng(seed)
    drawn = random.multinomial(len(processes), _even(len(processes)), resamples)
    columns: list[NDArray[np.int64]] = []
    for place, process in enumerate(processes):
        size = len(process.blocks)
        blocks = random.multinomial(drawn[:, place] * size, _even(size))
        columns.append(np.repeat(blocks, [block.runs for block in process.blocks], axis=1))
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
