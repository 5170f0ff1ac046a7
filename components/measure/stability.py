"""Stability: whether what some processes measured can be believed, and on what evidence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from components.artifacts.measurement import Attempt, Process
from components.statistics.bootstrap import quantile
from components.statistics.quantities import milliseconds

INTERRUPTED = 0.2
"""Involuntary switches a sample from which on a block's median may be what a scheduler left."""
MOST_OFF = 0.3
"""By which part a block's median may lie off the median block's."""
MOST_DISTURBED = 1 / 3
"""Of the blocks may be interrupted or off before the whole is disturbed."""
MOST_APART, LEAST_APART_MS = 0.1, 0.01
"""Medians further apart than both, as a part of the smaller one and in milliseconds, differ."""
MOST_WAITED = 0.5
"""Share of the time for which something may have waited for a processor."""


def judge(processes: tuple[Process, ...]) -> Attempt:
    """Say whether medians can be believed, and on what evidence.

    A block is *interrupted* when its inferences were put aside often enough to reach the median,
    and *off* when its median is not the others', which also shows what no counter does: a
    neighbour on the same core, a clock that fell. A switch that hits one inference in a hundred
    moves no median and is no reason to disbelieve. A *busy* machine is: all blocks agree on
    it, and all are slow alike, because processors share caches, memory and often their units.
    So are processes that do not agree with each other, or whose later blocks do not agree with
    the earlier ones, by more than a tenth: no median of all of them is that of anything. Below
    ten microseconds they may, as where a process lies in memory makes such a difference.

    Args:
        processes: All of one attempt, at least one.
    """
    blocks = [block for process in processes for block in process.blocks]
    medians = np.array([each for process in processes for each in process.blocks_p50_ms])
    halves = _halves_ms(processes)
    interrupted = np.array(
        [block.involuntary_switches > INTERRUPTED * block.runs for block in blocks]
    )
    off = np.abs(medians / quantile(medians, 0.5) - 1) > MOST_OFF
    bad = int(np.count_nonzero(interrupted | off))
    waited = _waited(processes)
    p50s = [process.p50_ms for process in processes]
    told = (
        f"{len(blocks) - bad} of {len(blocks)} blocks undisturbed "
        f"({np.count_nonzero(interrupted)} interrupted, {np.count_nonzero(off)} more than "
        f"{MOST_OFF:.0%} off the median block); {len(processes)} processes "
        f"{_apart(p50s):.0%} apart; drift {_apart(halves):.0%}; something waited for a processor "
        f"{'for an unknown part' if waited is None else f'{waited:.0%}'} of the time; "
        f"other programs kept {_others(processes):.1f} cores busy"
    )
    if bad > MOST_DISTURBED * len(blocks):
        return Attempt("disturbed", told)
    if waited is not None and waited > MOST_WAITED:
        return Attempt("disturbed", f"the machine was busy {waited:.0%} of the time; {told}")
    if _differ(p50s):
        ends = f"{milliseconds(min(p50s))} to {milliseconds(max(p50s))}"
        return Attempt("disturbed", f"the processes do not agree, {ends}; {told}")
    if _differ(halves):
        ends = " and ".join(milliseconds(half) for half in halves)
        return Attempt("disturbed", f"earlier and later blocks do not agree, {ends}; {told}")
    return Attempt("stable", told)


def _apart(medians_ms: Sequence[float]) -> float:
    """Return by which part of the smallest the largest is larger."""
    return max(medians_ms) / max(min(medians_ms), 1e-9) - 1


def _differ(medians_ms: Sequence[float]) -> bool:
    far = max(medians_ms) - min(medians_ms) > LEAST_APART_MS
    return far and _apart(medians_ms) > MOST_APART


def _halves_ms(processes: tuple[Process, ...]) -> tuple[float, float]:
    """Return the median block of the first halves of all processes, and of the second halves."""
    early: list[float] = []
    late: list[float] = []
    for process in processes:
        medians, half = process.blocks_p50_ms, len(process.blocks) // 2
        early += medians[:half] or medians
        late += medians[-half:] if half else medians
    return quantile(np.array(early), 0.5), quantile(np.array(late), 0.5)


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
