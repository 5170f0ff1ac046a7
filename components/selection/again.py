"""Choosing again: the same measurements under other budgets, by the same rules.

A decision keeps what was measured of every variant, so nothing is measured or read again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from components.artifacts.budgets import Budgets
from components.artifacts.decision import Candidate, Decision, Goal, NearMiss
from components.selection.choosing import choose
from components.selection.notes import notes_of


def choose_again(decision: Decision, budgets: Budgets, minimize: Goal) -> Decision:
    """Return what the choice would have been under other budgets.

    What rests on more than the decision keeps is left out: what to try next, and how many images
    belong to no group.

    Args:
        decision: As it was made.
        budgets: What has to be kept instead; their metric is that of the decision.
        minimize: What is best among those that keep every budget.
    """
    assert budgets.metric == decision.metric, "drops are known of one metric"
    measured = tuple(_measured(decision))
    choice = choose(measured, budgets, reference=decision.reference, minimize=minimize)
    winner = next((one for one in choice.candidates if one.name == choice.winner), None)
    notes = notes_of(
        winner,
        choice.candidates,
        reference=decision.reference,
        metric=budgets.metric,
        baseline=decision.baseline,
        ungrouped=0,
    )
    misses = (NearMiss(one.name, one.excess, one.reason) for one in choice.near_misses)
    return replace(
        decision,
        winner=choice.winner,
        reason=choice.reason,
        budgets=budgets,
        minimize=minimize,
        variants=choice.candidates,
        near_misses=tuple(misses),
        notes=tuple(notes),
        next_steps=(),
    )


def _measured(decision: Decision) -> Iterator[Candidate]:
    """Yield every variant as it was before the choice: see ``Candidate``."""
    for one in decision.variants:
        if one.verdict == "failed":  # whatever the budgets are
            yield one
        elif one.verdict == "reference":
            failure = one.reason.partition("; ")[2]
            yield replace(one, verdict="failed" if failure else "undecided", reason=failure)
        else:
            yield replace(one, verdict="undecided", reason=_reason(one))


def _reason(one: Candidate) -> str:
    """Return what was known against it before the choice, or what it is there for."""
    if one.verdict == "comparison":
        return one.reason
    if one.drop is not None:
        return ""
    return one.reason if one.verdict == "undecided" else "its drop is unknown"
