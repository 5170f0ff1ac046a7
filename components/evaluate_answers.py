"""Evaluate answers: what those of a teacher that ran elsewhere are worth, as ``evaluate`` would."""

from __future__ import annotations

from typing import Annotated, Literal

from components.contract.types import (
    CurveOut,
    DatasetIn,
    FromGraph,
    MetricsOut,
    ReportIn,
    ReportOut,
    SourceIn,
)
from components.statistics.one_shot_plan import OneShotPlan
from components.statistics.resampling import Resampling

IMAGE = "device"


def evaluate_answers(
    source: SourceIn,
    dataset: DatasetIn,
    imported: ReportIn,
    thresholds: ReportIn | None,
    report: ReportOut,
    metrics: MetricsOut,
    curve: CurveOut,
    *,
    split: Annotated[Literal["selection", "sealed"], FromGraph()] = "selection",
    resampling: Resampling = Resampling(),
    one_shot: OneShotPlan = OneShotPlan(),
) -> None:
    """Measure the answers that were given to a split, so that variants can be compared with them.

    Nothing is run; all else is as in ``evaluate``.

    Args:
        source: The ``.npz`` file of ``import_answers``.
        dataset: Holds ``split``, and ``validation`` where a threshold is to be chosen.
        imported: The report of ``import_answers`` on the same file, which has checked that every
            image has an answer.
        thresholds: An earlier evaluation of the same answers, whose threshold is taken where the
            dataset has no validation split.
        report: As of ``evaluate``.
        metrics: The same metrics, flat.
        curve: ROC, or the confusion matrix.
        split: What to measure on.
        resampling: How intervals are made.
        one_shot: How one-shot trials are drawn.

    Raises:
        UserError: The split is too small to compare anything in it, or another file was imported.
    """
    from components.artifacts.answers import GivenAnswers
    from components.artifacts.dataset import Dataset
    from components.measure import scoring

    data = Dataset.open(dataset)
    given = GivenAnswers.read(source)
    given.check_imported(imported)
    scored = scoring.score_answers(
        data,
        given,
        split=split,
        earlier=scoring.read_earlier(thresholds),
        resampling=resampling,
        one_shot=one_shot,
    )
    scoring.write(scored, data, report, metrics, curve)
