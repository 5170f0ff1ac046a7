"""Runner medians: whether those of many processes can be believed, and what follows from them.

A ``benchmark_model`` gives a median a process and no samples. So there are at least 11 processes,
the median of their medians is what counts, and its interval comes from their order.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from components.artifacts.measurement import Attempt, Process, States, Summary
from components.artifacts.runner_summary import RunnerSummary
from components.measure import throttling
from components.measure.agreement import LEAST_APART_MS, apart, differ
from components.statistics.bootstrap import Interval, quantile
from components.statistics.order_interval import left_out, median_by_order
from components.statistics.quantities import milliseconds
from components.statistics.resampling import Resampling

PROCESSES = 11
"""Of so many, the 2nd to the 10th hold the true median with 98.8 %: one may have met anything."""
_WITHOUT_OUTLIERS = 0.95


def summaries_of(processes: Sequence[Process]) -> list[RunnerSummary]:
    """Return what the runner told of each."""
    return [process.runner for process in processes if process.runner]


def judge_runner(processes: Sequence[Process], states: Sequence[States]) -> Attempt:
    """Say whether the medians of a runner's processes can be believed, and on what evidence.

    What else ran there is not known from inside of them. The device is *throttled* where it says
    so, or where the last third of the processes was slower than the first by more than a tenth.
    They are *disturbed* where those that the interval is made of do not agree.

    Args:
        processes: Of one attempt, at least one, in their order.
        states: Of the device, before and after each of them.
    """
    told = summaries_of(processes)
    medians = [one.median_ms for one in told if one.median_ms is not None]
    if len(medians) < len(told):
        return Attempt(
            "absent",
            "this benchmark_model tells no median (a newer one prints median=), so it decides no "
            f"budget; means of {len(told)} processes are "
            f"{milliseconds(min(one.mean_ms for one in told))} to "
            f"{milliseconds(max(one.mean_ms for one in told))}",
        )
    counted = _counted(medians)
    evidence = (
        f"medians of {len(told)} processes, {milliseconds(min(medians))} to "
        f"{milliseconds(max(medians))}; those that count are {apart(counted):.0%} apart; "
        f"{sum(one.runs for one in told)} inferences; {told[0].accelerator}: {told[0].evidence}; "
        "a runner does not say what else ran there"
    )
    if slowed := throttling.told_by_device(states) or _slowed(medians):
        return Attempt("throttled", f"{slowed}; {evidence}")
    if differ(counted):
        ends = f"{milliseconds(min(counted))} to {milliseconds(max(counted))}"
        return Attempt("disturbed", f"the processes do not agree, {ends}; {evidence}")
    if not throttling.is_told(states):
        evidence += "; throttling unknown: neither clocks nor a thermal status can be read"
    return Attempt("stable", evidence)


def summary_of_runner(processes: Sequence[Process], resampling: Resampling) -> Summary | None:
    """Return the median of medians with its interval by order; None where there are no medians.

    The interval goes on each side as much further as the steps in which the runner tells times.

    Args:
        processes: Enough of them for an interval.
        resampling: Says what the interval is to hold at least.
    """
    told = summaries_of(processes)
    medians = [one.median_ms for one in told if one.median_ms is not None]
    if len(medians) < len(told):
        return None
    found = median_by_order(medians, resampling.confidence)
    assert found is not None, f"{len(medians)} processes give no interval"
    step_ms = max(one.resolution_ms for one in told)
    memory = [process.memory_bytes for process in processes]
    known = [each for each in memory if each is not None]
    return Summary(
        samples=sum(one.runs for one in told),
        load_ms=float(np.median([process.load_ms for process in processes])),
        first_ms=float(np.median([process.first_ms for process in processes])),
        p50_ms=Interval(found.value, max(0.0, found.low - step_ms), found.high + step_ms),
        p90_ms=None,
        p99_ms=None,
        spread_ms=max(medians) - min(medians),
        peak_memory_bytes=max(known, default=None),
        load_high_ms=max(process.load_ms for process in processes),
    )


def _counted(medians_ms: Sequence[float]) -> list[float]:
    """Return those that remain when the furthest are left out as the interval leaves them out."""
    ordered = sorted(medians_ms)
    cut = left_out(len(ordered), _WITHOUT_OUTLIERS) or 0
    return ordered[cut : len(ordered) - cut]


def _slowed(medians_ms: Sequence[float]) -> str | None:
    """Say that later processes were slower than earlier ones, or None."""
    third = max(len(medians_ms) // 3, 1)
    first_ms = quantile(np.array(medians_ms[:third]), 0.5)
    last_ms = quantile(np.array(medians_ms[-third:]), 0.5)
    slower = last_ms > (1 + throttling.MOST_SLOWER) * first_ms
    if not slower or last_ms - first_ms <= LEAST_APART_MS:
        return None
    ends = f"from {milliseconds(first_ms)} to {milliseconds(last_ms)}"
    return f"the last third of the processes is slower than the first, {ends}"
