"""Choice: which variant wins under the budgets, and in one sentence each why the others do not.

Pure: measurements in, judgements out. Reading them from reports is ``contest``'s part.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from components.selection.candidates import Breach, Budgets, Contender, breaches_of
from components.statistics.quantities import apart, decimal, milliseconds, whole_bytes

Verdict = Literal["winner", "kept", "over-budget", "undecided", "failed", "reference"]
Goal = Literal["size", "latency"]


@dataclass(frozen=True)
class Judgement:
    """What became of one variant.

    Attributes:
        name: The variant.
        verdict: What became of it.
        reason: One sentence that a person understands without the table.
        on_front: No other is at least as good in size, latency and metric, and better in one.
        excess: By which part the worst budget is missed; 0 when none is.
    """

    name: str
    verdict: Verdict
    reason: str
    on_front: bool
    excess: float


@dataclass(frozen=True)
class Choice:
    """The outcome.

    Attributes:
        winner: Name of the smallest, or fastest, candidate that keeps every budget; None when none
            does.
        reason: Why, in one sentence.
        judgements: One a contender, in their order.
        near_misses: Without a winner the candidates that ran, nearest first.
    """

    winner: str | None
    reason: str
    judgements: tuple[Judgement, ...]
    near_misses: tuple[Judgement, ...]


def choose(
    contenders: Sequence[Contender], budgets: Budgets, *, reference: str, minimize: Goal = "size"
) -> Choice:
    """Pick the winner and judge everybody.

    A variant keeps to a budget when the *upper* end of its interval does: what the data cannot
    rule out counts against it. A disturbed measurement leaves a variant undecided where latency
    is limited or minimized. The order of the contenders never matters.

    Args:
        contenders: The measured variants, the reference among them; names differ.
        budgets: What has to be kept.
        reference: The contender that drops are taken against. It wins only as a candidate.
        minimize: What is best among those that keep every budget.
    """
    front = _front(contenders)
    keepers = [one for one in contenders if one.candidate and _keeps(one, budgets, minimize)]
    winner = min(keepers, key=lambda one: _rank(one, minimize), default=None)
    judgements = tuple(
        _judge(
            one, budgets, winner, minimize, reference=one.name == reference, front=one.name in front
        )
        for one in contenders
    )
    near = [
        judgement
        for one, judgement in zip(contenders, judgements, strict=True)
        if winner is None and one.candidate and not one.crash and one.drop
    ]
    sizes = {one.name: one.size_bytes for one in contenders}
    near.sort(key=lambda judgement: (judgement.excess, sizes[judgement.name], judgement.name))
    return Choice(
        winner=winner.name if winner else None,
        reason=_outcome(winner, minimize, keepers, near, contenders),
        judgements=judgements,
        near_misses=tuple(near),
    )


def _keeps(one: Contender, budgets: Budgets, minimize: Goal) -> bool:
    if one.crash or one.doubt(timed=_timed(budgets, minimize)):
        return False
    return not any(breaches_of(one, budgets))


def _timed(budgets: Budgets, minimize: Goal) -> bool:
    """Whether latency decides anything."""
    return budgets.latency_ms is not None or minimize == "latency"


def _rank(one: Contender, minimize: Goal) -> tuple[float | str, ...]:
    """The order among keepers; the name last, so that no tie is left to chance."""
    drop = one.drop.high if one.drop else math.inf
    first = (one.size_bytes, one.slowest_ms)
    return (*(first if minimize == "size" else first[::-1]), drop, one.gzip_bytes, one.name)


def _front(contenders: Sequence[Contender]) -> frozenset[str]:
    """Return the names that no other contender dominates in size, median latency and metric."""
    costs: dict[str, tuple[float, ...]] = {}
    for one in contenders:
        medians = [item.p50_ms.value for item in one.latency.values() if item.p50_ms]
        stable = all(item.verdict == "stable" for item in one.latency.values())
        if one.drop and not one.crash and stable:
            costs[one.name] = (one.size_bytes, one.drop.value, *medians)
    return frozenset(
        name
        for name, cost in costs.items()
        if not any(
            other != cost and all(a <= b for a, b in zip(other, cost, strict=True))
            for other in costs.values()
        )
    )


def _judge(
    one: Contender,
    budgets: Budgets,
    winner: Contender | None,
    minimize: Goal,
    *,
    reference: bool,
    front: bool,
) -> Judgement:
    breaches = list(breaches_of(one, budgets))
    doubt = one.doubt(timed=_timed(budgets, minimize))
    verdict, reason = _verdict(one, breaches, doubt, winner, minimize, reference=reference)
    excess = max((breach.excess for breach in breaches), default=0.0)
    return Judgement(one.name, verdict, reason, front, excess)


def _verdict(
    one: Contender,
    breaches: Sequence[Breach],
    doubt: str | None,
    winner: Contender | None,
    minimize: Goal,
    *,
    reference: bool,
) -> tuple[Verdict, str]:
    if winner and one.name == winner.name:
        return "winner", f"{_best(minimize)} that keeps every budget: {_measure(one, minimize)}"
    if reference and not one.candidate:
        reason = "the reference that every drop is measured against"
        return "reference", f"{reason}; {one.crash}" if one.crash else reason
    if one.crash:
        return "failed", one.crash
    if certain := [breach.text for breach in breaches if breach.certain]:
        return "over-budget", "; ".join(certain)
    if doubt:
        return "undecided", doubt
    return "kept", _second(one, winner, minimize)


def _second(one: Contender, winner: Contender | None, minimize: Goal) -> str:
    """Say why a variant that keeps every budget did not win."""
    if not one.candidate:
        return "keeps every budget, but is no candidate"
    assert winner, "a candidate keeps every budget, so one won"
    return f"kept the budget, but {_beaten(one, winner, minimize)}"


def _best(minimize: Goal) -> str:
    return "the smallest" if minimize == "size" else "the fastest"


def _measure(one: Contender, minimize: Goal) -> str:
    if minimize == "size":
        return whole_bytes(one.size_bytes)
    return f"p50 up to {milliseconds(one.slowest_ms)}"


def _beaten(one: Contender, winner: Contender, minimize: Goal) -> str:
    """Say in which respect, the first that differs, the winner is better."""
    size = (winner.size_bytes, one.size_bytes)
    speed = (winner.slowest_ms, one.slowest_ms)
    smaller = f"{winner.name} is smaller ({size[0]:,} < {size[1]:,} bytes)"
    digits = apart(*speed, milliseconds)
    faster = (
        f"{winner.name} is faster (p50 up to {milliseconds(speed[0], digits)} < "
        f"{milliseconds(speed[1], digits)})"
    )
    order = [(size, smaller), (speed, faster)]
    for (winning, losing), text in order if minimize == "size" else order[::-1]:
        if winning < losing:
            return text
    assert one.drop
    assert winner.drop
    if winner.drop.high < one.drop.high:
        places = apart(winner.drop.high, one.drop.high, decimal)
        return (
            f"{winner.name}, as small and as fast, loses less (drop up to "
            f"{decimal(winner.drop.high, places)} < {decimal(one.drop.high, places)})"
        )
    return f"{winner.name} is equal in every respect and was taken by its gzip size and name"


def _outcome(
    winner: Contender | None,
    minimize: Goal,
    keepers: Sequence[Contender],
    near: Sequence[Judgement],
    contenders: Sequence[Contender],
) -> str:
    count = sum(one.candidate for one in contenders)
    if winner and len(keepers) == 1:
        return f"{winner.name} alone of {count} candidates keeps every budget"
    if winner:
        return (
            f"{winner.name} is {_best(minimize)} of the {len(keepers)} of {count} candidates that "
            f"keep every budget: {_measure(winner, minimize)}"
        )
    if near:
        return (
            f"none of {count} candidates keeps every budget; nearest is {near[0].name}: "
            f"{near[0].reason}"
        )
    return f"none of {count} candidates could be measured against the budgets"
