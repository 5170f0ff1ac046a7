"""Evaluate: what a converted model answers on images it has not seen, and what that is worth."""

from __future__ import annotations

from typing import Annotated, Literal

from components.contract.types import (
    CurveOut,
    DatasetIn,
    FromGraph,
    LiteModelIn,
    MetricsOut,
    ReportIn,
    ReportOut,
    Threads,
)
from components.statistics.one_shot_plan import OneShotPlan
from components.statistics.resampling import Resampling

IMAGE = "device"


def evaluate(
    model: LiteModelIn,
    dataset: DatasetIn,
    thresholds: ReportIn | None,
    report: ReportOut,
    metrics: MetricsOut,
    curve: CurveOut,
    *,
    split: Annotated[Literal["selection", "sealed"], FromGraph()] = "selection",
    resampling: Resampling = Resampling(),
    one_shot: OneShotPlan = OneShotPlan(),
    threads: Threads = 1,
) -> None:
    """Measure a converted model on a split, with intervals, beside the trivial baseline.

    The model runs in a process of its own: when the runtime kills it, twice running, or refuses the
    file, or when an output is not finite, the report says so in place of metrics. So it does when
    the process was ended from outside, and then the next run evaluates again. Every output is kept,
    so that later steps can compare models on common resamples. Verification scores all pairs by the
    cosine and chooses its threshold on the validation split, never on the one that is measured;
    one-shot trials are drawn from a seed, equal for every model, within groups where the dataset
    has them. What the split is too small for (the true accept rate at 1e-3, trials of so many ways)
    is left out, and the report says why. Where the dataset tells of groups, every metric is
    measured within each of them, too, where the group is large enough for it.

    Args:
        model: The LiteModel. An empty result is passed on.
        dataset: Holds ``split``, and ``validation`` where a threshold is to be chosen.
        thresholds: An earlier evaluation of the same model, whose threshold is taken where the
            dataset has no validation split.
        report: ``evaluation.json``, ``outputs.npy`` (float32, n x d), ``labels.npy``,
            ``resampled.npy`` (float64: every metric, by name, on every resample), ``groups.npy``
            where there are groups and, for verification, ``histogram.json``; for classification of
            more than 50 classes ``confusions.csv``, the whole confusion matrix.
        metrics: The same metrics, flat.
        curve: ROC, or the confusion matrix; of more than 50 classes, those confused most.
        split: What to measure on.
        resampling: How intervals are made.
        one_shot: How one-shot trials are drawn.
        threads: Of the runtime.

    Raises:
        UserError: Dataset and model do not fit each other, or the split is too small to compare
            anything in it.
    """
    from components.artifacts.dataset import Dataset
    from components.artifacts.empty import empty_reason, write_empty
    from components.contract.digests import canonical_json
    from components.measure import scoring

    if reason := empty_reason(model):
        write_empty(report, reason)
        for path in (metrics, curve):
            path.write_bytes(canonical_json({}))
        return
    data = Dataset.open(dataset)
    scored = scoring.score(
        data,
        model,
        split=split,
        earlier=scoring.read_earlier(thresholds),
        resampling=resampling,
        one_shot=one_shot,
        threads=threads,
    )
    scoring.write(scored, data, report, metrics, curve)
