"""Sealed step: what to do about a winner that does not keep its budget on the sealed images."""

from __future__ import annotations

from components.artifacts.decision import Candidate, Decision
from components.selection.next_steps import images_needed
from components.statistics.bootstrap import Interval
from components.statistics.quantities import decimal, with_interval, written_above


def sealed_next_step(
    drop: Interval | None, decision: Decision, units: int, unit: str
) -> str | None:
    """Say what to do, where more sealed images, other ones, or another candidate can help.

    Args:
        drop: Of the winner on the sealed images; None where it is unknown.
        decision: Its budgets, and who else kept them.
        units: How many judged there.
        unit: What those are, in the plural.

    Returns:
        A sentence without a full stop; None where the drop is not what is wrong.
    """
    if drop is None or drop.high <= decision.budgets.drop:
        return None
    needed = images_needed(drop, decision.budgets.drop, units)
    if needed is None:
        return _beyond(drop, decision, unit)
    return (
        f"its drop on the sealed images, {decimal(drop.value)}, is within the budget, and its "
        f"interval is too wide to prove it: about {needed:,} sealed {unit} would, at the same "
        f"drop; there were {units:,}. Raise sealed under split:, or add data"
    )


def _beyond(drop: Interval, decision: Decision, unit: str) -> str:
    """Say what the images that chose had not told, and who lost less on them."""
    assert decision.winner is not None, "without a winner nothing is sealed"
    winner = decision.variant(decision.winner)
    told = (
        f"its drop on the sealed images, {with_interval(drop)}, is itself beyond the budget, which "
        "more of them would not change"
    )
    if winner.drop and winner.drop.high < drop.low:
        told += (
            f". On the images that chose it, it was {with_interval(winner.drop)}, so that those "
            f"tell too little of others: let more {unit} choose (selection under split:)"
        )
    safer = _safer(winner, decision)
    if safer is not None and safer.drop is not None:
        told += (
            f". {safer.name} lost less on them, {with_interval(safer.drop)}, and drop: "
            f"{written_above(safer.drop.high)} under budgets chooses it; whether that is enough on "
            "these sealed images is then their second answer, which proves less than a first one"
        )
    return told


def _safer(winner: Candidate, decision: Decision) -> Candidate | None:
    """Return who would win under the loosest drop budget that the winner misses, if anybody."""
    if winner.drop is None:
        return None
    losing_less = [
        one
        for one in decision.variants
        if one.verdict == "kept"
        and one.drop
        and float(written_above(one.drop.high)) < winner.drop.high
    ]

    def cost(one: Candidate) -> tuple[float, str]:
        slowest = max((each.p50_ms.high for each in one.latency.values() if each.p50_ms), default=0)
        return (slowest if decision.minimize == "latency" else one.file_bytes), one.name

    return min(losing_less, key=cost, default=None)
