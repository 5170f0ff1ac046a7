"""Sealed: what the images that nothing else ever looked at say of the winner."""

from __future__ import annotations

from dataclasses import dataclass

from components.artifacts.budgets import Budgets
from components.artifacts.evaluation import Evaluation
from components.measure.paired import Answers, Reference, failure_of
from components.selection.budgets import drop_breach
from components.selection.floors import floor_breaches, floor_doubt
from components.statistics.bootstrap import Interval
from components.statistics.quantities import decimal, exact_places, with_interval
from components.statistics.resampling import Resampling


@dataclass(frozen=True)
class SealedResult:
    """How winner and reference did on the sealed images.

    Attributes:
        winner: Report on the winner.
        reference: Report on the reference.
        drop: Paired drop of the winner; None when one of the two gave no answers, or the sealed
            images cannot give the metric.
        failure: Why the winner's answers cannot be used, or None.
    """

    winner: Evaluation
    reference: Evaluation
    drop: Interval | None
    failure: str | None

    @classmethod
    def of(
        cls,
        winner: tuple[Evaluation, Answers | None],
        reference: tuple[Evaluation, Answers | None],
        *,
        metric: str,
        resampling: Resampling,
    ) -> SealedResult:
        """Compare the winner with the reference.

        Args:
            winner: The report of evaluate on it, and what it answered unless it crashed.
            reference: The same of the reference.
            metric: Whose drop counts.
            resampling: How its interval is made.

        Raises:
            UserError: The task has no such metric.
        """
        answers, expected = winner[1], reference[1]
        drop = None
        if answers and expected and metric not in expected.evaluation.unmeasured:
            drop = Reference.of(expected, metric, resampling).drop_of(answers)
        return cls(winner[0], reference[0], drop, failure_of(*winner))


def qualification(
    sealed: SealedResult, budgets: Budgets, selected: Interval | None = None
) -> tuple[bool, tuple[str, ...]]:
    """Say whether a release qualifies, and every reason why it does or does not.

    The rule is that of the choice: the upper end of the drop's interval keeps to the budget, the
    lower end of a floor's metric to the floor. Besides, the winner must be better than the trivial
    answer for certain, on the sealed images and where it was selected.

    Args:
        sealed: How it did on the sealed images.
        budgets: What it has to keep there.
        selected: How far it was ahead of the trivial answer where it was selected; None where
            nobody knows.
    """
    if sealed.failure:
        return False, (f"the sealed images: {sealed.failure}",)
    if missing := sealed.reference.unmeasured.get(budgets.metric):
        return False, (f"the sealed images give no {budgets.metric}: {missing}",)
    if sealed.drop is None:
        return False, ("the reference gave no answers on the sealed images: the drop is unknown",)
    if missed := _missed(sealed, sealed.drop, budgets, selected):
        return False, missed
    floors = ", and every floor holds" if budgets.floors else ""
    limit = decimal(budgets.drop, exact_places(budgets.drop))
    kept = f"drop {with_interval(sealed.drop)} keeps to {limit}{floors}"
    return True, (f"the sealed images confirm it: {kept}",)


def _missed(
    sealed: SealedResult, drop: Interval, budgets: Budgets, selected: Interval | None
) -> tuple[str, ...]:
    """Say all that the winner does not keep, or may not."""
    found = sealed.winner
    below = [breach.text for breach in floor_breaches(found.metrics, found.groups, budgets)]
    if drop.high > budgets.drop:
        below.insert(0, drop_breach(drop, budgets.drop).text)
    if doubt := floor_doubt(found.metrics, found.groups, budgets):
        below.append(doubt)
    missed = [f"on the sealed images: {breach}" for breach in below]
    leads = {"sealed": found.baseline.lead.get(budgets.metric), "selection": selected}
    missed += [
        f"on the {where} images: not certainly better than {found.baseline.name}, ahead by "
        f"{with_interval(lead)}"
        for where, lead in leads.items()
        if lead and lead.low <= 0
    ]
    return tuple(missed)
