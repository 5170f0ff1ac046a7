"""Choosing: which candidate wins under the budgets, and in one sentence each why the others do not.

Pure: measured candidates in, judged ones out. Reading them from reports is ``candidates``' part.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from components.artifacts.budgets import Budgets
from components.artifacts.decision import Candidate, Goal, Verdict
from components.selection.budgets import breaches_of
from components.selection.device_budgets import (
    Breach,
    device_doubt,
    disturbed_and_kept,
    unbelievable,
)
from components.selection.floors import floor_breaches, floor_doubt
from components.statistics.quantities import (
    decimal,
    distinct_digits,
    short_time,
    whole_bytes,
    with_interval,
)
from components.statistics.units import time_writer


@dataclass(frozen=True)
class Choice:
    """The outcome.

    Attributes:
        winner: Name of the smallest, or fastest, candidate that keeps every budget; None when none
            does.
        reason: Why, in one sentence.
        candidates: All that were measured, in their order, each with its verdict.
        near_misses: Without a winner the candidates that ran, nearest first.
    """

    winner: str | None
    reason: str
    candidates: tuple[Candidate, ...]
    near_misses: tuple[Candidate, ...]


def choose(
    measured: Sequence[Candidate], budgets: Budgets, *, reference: str, minimize: Goal = "size"
) -> Choice:
    """Pick the winner and give everybody a verdict.

    A variant keeps to a budget when the *worse* end of its interval does: what the data cannot
    rule out counts against it. One that the trivial answer may equal wins only where no other
    keeps every budget. Other load only slows: a disturbed measurement that keeps the budgets of
    latency and load keeps them. One that does not leaves the variant undecided, as does any where
    latency is minimized or energy is limited, what was ended from outside, and where latency, load
    or energy counts, what was measured on a device that slowed itself down. So does a number that
    a device can tell and did not. Memory is what it is under any load. The order of the candidates
    never matters.

    Args:
        measured: The variants as they were measured, the reference among them; names differ.
        budgets: What has to be kept.
        reference: The variant that drops are taken against. It wins only as a candidate.
        minimize: What is best among those that keep every budget.

    Example:
        >>> from components.statistics.bootstrap import Interval
        >>> teacher = Candidate(
        ...     "teacher", steps=(), candidate=False, sha256="", size_bytes=900_000,
        ...     gzip_bytes=800_000, parameters=225_000, metric=None, metrics={},
        ...     drop=Interval(0, 0, 0), latency={}, peak_memory_bytes=None,
        ... )
        >>> small = replace(
        ...     teacher, name="small", candidate=True, size_bytes=9_000,
        ...     drop=Interval(0.004, 0.001, 0.008),
        ... )
        >>> choice = choose([teacher, small], Budgets("auc", drop=0.005), reference="teacher")
        >>> [one.verdict for one in choice.candidates], choice.winner
        (['reference', 'over-budget'], None)
        >>> choice.candidates[1].reason
        'drop 0.004 (0.001 to 0.008) may exceed 0.005'
    """
    front = _front([one for one in measured if one.candidate or one.name == reference])
    keepers = [one for one in measured if one.candidate and _keeps(one, budgets, minimize)]
    leading = [one for one in keepers if one.leads] or keepers
    winner = min(leading, key=lambda one: _rank(one, minimize), default=None)
    judged = tuple(
        _judged(
            one, budgets, winner, minimize, reference=one.name == reference, front=one.name in front
        )
        for one in measured
    )
    near = [] if winner else [one for one in judged if _came_near(one)]
    near.sort(key=lambda one: (one.excess, one.file_bytes, one.name))
    return Choice(
        winner=winner.name if winner else None,
        reason=_outcome(winner, minimize, keepers, leading, near, measured),
        candidates=judged,
        near_misses=tuple(near),
    )


def _failure(one: Candidate) -> str | None:
    """Say why it cannot be used, wherever it died first, or None."""
    if one.verdict == "failed":
        return one.reason
    crashed = (
        f"crashed on {device}: {timing.short_evidence}"
        for device, timing in one.latency.items()
        if timing.verdict == "crashed"
    )
    return next(crashed, None)


def _doubt(one: Candidate, budgets: Budgets, minimize: Goal) -> str | None:
    """Say what is not known of it, or None; a latency counts only where it decides anything."""
    if one.drop is None:
        return one.reason or "the reference gave no answers to compare with, so its drop is unknown"
    for device, timing in one.latency.items():
        if timing.verdict == "killed":
            return f"ended from outside on {device}: {timing.short_evidence}"
        if timing.verdict == "absent":
            return f"not measured on {device}: {timing.short_evidence}"
        if timing.verdict not in ("throttled", "disturbed"):
            continue
        if minimize == "latency" or unbelievable(one, budgets, device):
            return f"{timing.verdict} on {device}: {timing.short_evidence or 'no quiet moment'}"
    return device_doubt(one, budgets) or floor_doubt(one.metrics, one.groups, budgets)


def _although(one: Candidate, budgets: Budgets) -> str:
    """Say where a variant keeps a budget of time although its measurement was disturbed."""
    told: dict[tuple[str, ...], list[str]] = {}
    for budget, devices in disturbed_and_kept(one, budgets).items():
        told.setdefault(tuple(devices), []).append(budget)
    return "".join(
        f"; its {' and its '.join(kept)} on {', '.join(devices)} "
        f"{'keep their budgets' if len(kept) > 1 else 'keeps the budget'} although "
        f"{'they were' if len(kept) > 1 else 'it was'} disturbed, and other load only slows"
        for devices, kept in told.items()
    )


def _breaches(one: Candidate, budgets: Budgets) -> list[Breach]:
    return [*breaches_of(one, budgets), *floor_breaches(one.metrics, one.groups, budgets)]


def _keeps(one: Candidate, budgets: Budgets, minimize: Goal) -> bool:
    if _failure(one) or _doubt(one, budgets, minimize):
        return False
    return not _breaches(one, budgets)


def _rank(one: Candidate, minimize: Goal) -> tuple[float | str, ...]:
    """The order among keepers; the name last, so that no tie is left to chance."""
    drop = one.drop.high if one.drop else math.inf
    first = (one.file_bytes, one.slowest_ms)
    return (*(first if minimize == "size" else first[::-1]), drop, one.gzip_bytes or 0, one.name)


def _front(measured: Sequence[Candidate]) -> frozenset[str]:
    """Return the names that no other candidate dominates in size, median latency and metric."""
    costs: dict[str, tuple[float, ...]] = {}
    for one in measured:
        medians = [item.p50_ms.value for item in one.latency.values() if item.p50_ms]
        stable = all(item.verdict == "stable" for item in one.latency.values())
        if one.drop and one.size_bytes and not _failure(one) and stable:
            costs[one.name] = (one.size_bytes, one.drop.value, *medians)
    return frozenset(
        name
        for name, cost in costs.items()
        if not any(
            other != cost and all(a <= b for a, b in zip(other, cost, strict=True))
            for other in costs.values()
        )
    )


def _judged(
    one: Candidate,
    budgets: Budgets,
    winner: Candidate | None,
    minimize: Goal,
    *,
    reference: bool,
    front: bool,
) -> Candidate:
    breaches = _breaches(one, budgets)
    doubt = _doubt(one, budgets, minimize)
    verdict, reason = _verdict(one, breaches, doubt, winner, minimize, reference=reference)
    if verdict in ("winner", "kept"):
        reason += _although(one, budgets)
    excess = max((breach.excess for breach in breaches), default=0.0)
    return replace(one, verdict=verdict, reason=reason, on_front=front, excess=excess)


def _verdict(
    one: Candidate,
    breaches: Sequence[Breach],
    doubt: str | None,
    winner: Candidate | None,
    minimize: Goal,
    *,
    reference: bool,
) -> tuple[Verdict, str]:
    if winner and one.name == winner.name:
        return "winner", f"{_best(minimize)} that keeps every budget: {_measure(one, minimize)}"
    failure = _failure(one)
    if not one.candidate and (reference or not failure):
        return _compared_with(one, failure, reference=reference)
    if failure:
        return "failed", failure
    if certain := [breach.text for breach in breaches if breach.certain]:
        return "over-budget", "; ".join(certain)
    if doubt:
        return "undecided", doubt
    return "kept", _second(one, winner, minimize)


def _compared_with(one: Candidate, failure: str | None, *, reference: bool) -> tuple[Verdict, str]:
    """Return the verdict on what is no candidate, and what it is there for."""
    if not reference:
        return "comparison", one.reason or "no candidate: shown to compare with"
    reason = "the reference that every drop is measured against"
    return "reference", f"{reason}; {failure}" if failure else reason


def _came_near(judged: Candidate) -> bool:
    """Whether a candidate that did not win ran, so that its distance to the budgets is known."""
    return judged.candidate and judged.verdict != "failed" and judged.drop is not None


def _second(one: Candidate, winner: Candidate | None, minimize: Goal) -> str:
    """Say why a variant that keeps every budget did not win."""
    assert winner, "a candidate keeps every budget, so one won"
    return f"kept the budget, but {_beaten(one, winner, minimize)}"


def _best(minimize: Goal) -> str:
    return "the smallest" if minimize == "size" else "the fastest"


def _measure(one: Candidate, minimize: Goal) -> str:
    if minimize == "size":
        return whole_bytes(one.file_bytes)
    return f"p50 up to {short_time(one.slowest_ms)}"


def _beaten(one: Candidate, winner: Candidate, minimize: Goal) -> str:
    """Say in which respect, the first that differs, the winner is better."""
    if winner.leads and not one.leads:
        assert one.lead
        return f"the trivial answer may equal it (ahead by {with_interval(one.lead)})"
    size = (winner.file_bytes, one.file_bytes)
    speed = (winner.slowest_ms, one.slowest_ms)
    smaller = f"{winner.name} is smaller ({size[0]:,} < {size[1]:,} bytes)"
    write = time_writer(max(speed))
    digits = distinct_digits(*speed, write)
    faster = (
        f"{winner.name} is faster (p50 up to {write(speed[0], digits)} < {write(speed[1], digits)})"
    )
    order = [(size, smaller), (speed, faster)]
    for (winning, losing), text in order if minimize == "size" else order[::-1]:
        if winning < losing:
            return text
    assert one.drop
    assert winner.drop
    if winner.drop.high < one.drop.high:
        places = distinct_digits(winner.drop.high, one.drop.high, decimal)
        return (
            f"{winner.name}, as small and as fast, loses less (drop up to "
            f"{decimal(winner.drop.high, places)} < {decimal(one.drop.high, places)})"
        )
    return f"{winner.name} is equal in every respect and was taken by its gzip size and name"


def _outcome(
    winner: Candidate | None,
    minimize: Goal,
    keepers: Sequence[Candidate],
    leading: Sequence[Candidate],
    near: Sequence[Candidate],
    measured: Sequence[Candidate],
) -> str:
    count = sum(one.candidate for one in measured)
    also = " and are certainly better than the trivial answer"
    also = also if len(leading) < len(keepers) else ""
    if winner and len(keepers) == 1:
        return f"{winner.name} alone of {count} candidates keeps every budget"
    if winner:
        return (
            f"{winner.name} is {_best(minimize)} of the {len(leading)} of {count} candidates that "
            f"keep every budget{also}: {_measure(winner, minimize)}"
        )
    if near:
        return (
            f"none of {count} candidates keeps every budget; nearest is {near[0].name}: "
            f"{near[0].reason}"
        )
    return f"none of {count} candidates could be measured against the budgets"
