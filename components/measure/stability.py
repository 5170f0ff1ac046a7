"""Stability: whether what some processes measured can be believed, and on what evidence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from components.artifacts.measurement import Attempt, Process, States
from components.measure import throttling
from components.measure.agreement import LEAST_APART_MS, apart, differ
from components.measure.runner_medians import judge_runner
from components.statistics.bootstrap import quantile
from components.statistics.quantities import milliseconds

INTERRUPTED = 0.2
"""Involuntary switches a sample from which on a block's median may be what a scheduler left."""
MOST_OFF = 0.3
"""By which part a block's median may lie off the median block's."""
MOST_DISTURBED = 1 / 3
"""Of the blocks may be interrupted or off before the whole is disturbed."""
MOST_WAITED = 0.5
"""Share of the time for which something may have waited for a processor."""
QUIET_WAITED, QUIET_OTHERS, QUIET_STOLEN = 0.1, 0.25, 0.02
"""Up to these, other load explains no slowing down: share of the time for which something waited,
cores that other programs kept busy, and share of the time that other guests took."""


def judge(
    processes: tuple[Process, ...],
    states: Sequence[States] = (),
    best_reference_ms: float | None = None,
) -> Attempt:
    """Say whether medians can be believed, and on what evidence.

    A block is *interrupted* when its inferences were put aside often enough to reach the median,
    and *off* when its median is not the others', which also shows what no counter does: a
    neighbour on the same core, a clock that fell. A switch that hits one inference in a hundred
    moves no median and is no reason to disbelieve. A *busy* machine is: all blocks agree on
    it, and all are slow alike, because processors share caches, memory and often their units.
    So are processes that do not agree with each other, or whose later blocks do not agree with
    the earlier ones, by more than a tenth: no median of all of them is that of anything. Below
    ten microseconds they may, as where a process lies in memory makes such a difference.

    It is *throttled* when the device says so. Where nothing else kept it busy, it is so, too, when
    the reference loop became slower by more than a tenth, or the last third of the blocks did
    without a loop that shows the processor as fast as before. Under other load the same is a
    disturbance, because heat is not the only explanation.

    Args:
        processes: All of one attempt, at least one.
        states: Of the device, before and after each of them.
        best_reference_ms: The fastest reference loop of earlier attempts; None where there were
            none.
    """
    if processes[0].runner:
        return judge_runner(processes, states)
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
        f"{apart(p50s):.0%} apart; drift {apart(halves):.0%}; something waited for a processor "
        f"{'for an unknown part' if waited is None else f'{waited:.0%}'} of the time; "
        f"other programs kept {_others(processes):.1f} cores busy{_reference_told(processes)}"
    )
    throttled = throttling.told_by_device(states)
    if not throttled and _is_quiet(processes):
        throttled = _slowed(processes, best_reference_ms)
    if throttled:
        return Attempt("throttled", f"{throttled}; {told}")
    if bad > MOST_DISTURBED * len(blocks):
        return Attempt("disturbed", told)
    if disturbed := _disturbance(waited, p50s, halves):
        return Attempt("disturbed", f"{disturbed}; {told}")
    if not throttling.is_told(states):
        told += "; throttling unknown: neither clocks nor a thermal status can be read"
    return Attempt("stable", told)


def _disturbance(
    waited: float | None, p50s_ms: Sequence[float], halves_ms: Sequence[float]
) -> str | None:
    """Say what came between that no block shows by itself, or None."""
    if waited is not None and waited > MOST_WAITED:
        return f"the machine was busy {waited:.0%} of the time"
    if differ(p50s_ms):
        ends = f"{milliseconds(min(p50s_ms))} to {milliseconds(max(p50s_ms))}"
        return f"the processes do not agree, {ends}"
    if differ(halves_ms):
        ends = " and ".join(milliseconds(half) for half in halves_ms)
        return f"earlier and later blocks do not agree, {ends}"
    return None


def _slowed(processes: tuple[Process, ...], best_reference_ms: float | None) -> str | None:
    """Say what shows that a device, which does not say so, slowed itself down, or None."""
    known_ms = (best_reference_ms, throttling.fastest_reference_ms(processes))
    best_ms = min((each for each in known_ms if each is not None), default=None)
    if told := throttling.slower_reference(processes, best_ms):
        return told
    first_ms, last_ms = throttling.thirds_ms(processes)
    slower = last_ms > (1 + throttling.MOST_SLOWER) * first_ms
    if slower and last_ms - first_ms > LEAST_APART_MS and not throttling.kept_its_speed(processes):
        ends = f"from {milliseconds(first_ms)} to {milliseconds(last_ms)}"
        return f"the last third of the blocks is slower than the first, {ends}"
    return None


def _is_quiet(processes: tuple[Process, ...]) -> bool:
    """Whether nothing but the device itself can have made it slower, as far as can be told."""
    waited = _waited(processes)
    machines = [process.machine for process in processes]
    wall_ms = sum(machine.get("wall_ms", 0.0) for machine in machines)
    stolen_ms = sum(machine.get("stolen_ms", 0.0) for machine in machines)
    return (
        (waited is None or waited <= QUIET_WAITED)
        and _others(processes) <= QUIET_OTHERS
        and stolen_ms <= QUIET_STOLEN * wall_ms
    )


def _reference_told(processes: tuple[Process, ...]) -> str:
    """Return the reference loops as evidence, with what stands before it."""
    pairs = [(each.reference_ms_before, each.reference_ms_after) for each in processes]
    known = [each for pair in pairs for each in pair if each is not None]
    if not known:
        return ""
    return f"; reference loop {milliseconds(min(known))} to {milliseconds(max(known))}"


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
    machines = [process.machine for process in processes if "busy_ms" in process.machine]
    others_ms = sum(machine["busy_ms"] - machine["own_cpu_ms"] for machine in machines)
    return max(0.0, others_ms / max(1e-9, sum(machine["wall_ms"] for machine in machines)))
