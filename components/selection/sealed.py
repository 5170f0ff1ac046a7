"""Sealed: what the images that nothing else ever looked at say of the winner."""

from __future__ import annotations

from dataclasses import dataclass

from components.artifacts.budgets import DropBudget
from components.artifacts.evaluation import Evaluation
from components.measure.paired import Answers, Reference, failure_of
from components.selection.budgets import drop_breach
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


def promotion(sealed: SealedResult, budgets: DropBudget) -> tuple[bool, str]:
    """Say whether a release may be promoted, and why.

    The rule is that of the choice: the upper end of the drop's interval keeps to the budget.
    """
    if sealed.failure:
        return False, f"the sealed images: {sealed.failure}"
    if missing := sealed.reference.unmeasured.get(budgets.metric):
        return False, f"the sealed images give no {budgets.metric}: {missing}"
    if sealed.drop is None:
        return False, "the reference gave no answers on the sealed images: the drop is unknown"
    if sealed.drop.high > budgets.drop:
        return False, f"on the sealed images: {drop_breach(sealed.drop, budgets.drop).text}"
    limit = decimal(budgets.drop, exact_places(budgets.drop))
    return True, f"the sealed images confirm it: drop {with_interval(sealed.drop)} keeps to {limit}"
