"""Paired comparison: by how much one model's answers are worse than another's on equal images."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.artifacts.evaluation import GROUPS, LABELS, OUTPUTS, RESAMPLED, Evaluation
from components.contract.errors import UserError, suggest
from components.measure.trials import drawn_again
from components.measure.unmeasured import check_measured
from components.statistics.bootstrap import Estimate, Interval, digest_of
from components.statistics.metrics import METRICS, Predictions, drop, estimate, sample_of
from components.statistics.resampling import Resampling
from components.statistics.running_sums import Counts
from components.statistics.verification import Pairs

_SAME = 1e-6
"""Directions closer than this are one: far below what any image changes in a model that sees it."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model answered on a split.

    Attributes:
        evaluation: The report on them.
        outputs_nd: n embeddings or scores.
        labels_n: n identities or class indices.
        groups_n: n groups, which a one-shot trial does not leave; None where there are none.
        resampled_mr: The metrics of the report, in the order of their names, on every resample;
            None where the report does not keep them.
    """

    evaluation: Evaluation
    outputs_nd: NDArray[np.float32]
    labels_n: NDArray[np.int32]
    groups_n: NDArray[np.int32] | None = None
    resampled_mr: NDArray[np.float64] | None = None

    @classmethod
    def read(cls, path: Path) -> Answers:
        """Read the report of evaluate in the folder ``path``, of a model that did not crash.

        Raises:
            UserError: There is none.
        """
        outputs, labels = (np.load(path / name, allow_pickle=False) for name in (OUTPUTS, LABELS))
        groups, resampled = (
            np.load(path / name, allow_pickle=False) if (path / name).is_file() else None
            for name in (GROUPS, RESAMPLED)
        )
        return cls(Evaluation.read(path), outputs, labels, groups, resampled)

    @cached_property
    def sample(self) -> Pairs | Predictions:
        """What the metrics are measured on."""
        return sample_of(
            self.evaluation.task,
            self.outputs_nd,
            self.labels_n,
            resample=self.evaluation.resample,
            threshold=self.evaluation.threshold,
            trials=drawn_again(self.evaluation.one_shot, self.labels_n, self.groups_n),
        )

    def measured(self, metric: str, draws_ru: Counts, digest: str) -> Estimate:
        """Return a metric on the data and on every resample.

        A report keeps it for its own draws; measuring it again takes as long as evaluating did.

        Args:
            metric: One that the split can give.
            draws_ru: How often each identity, or image, was drawn.
            digest: ``digest_of`` these draws.
        """
        kept = self.evaluation.metrics
        if self.resampled_mr is None or self.evaluation.draws != digest:
            return estimate(self.sample, draws_ru)[metric]
        return Estimate(kept[metric].value, self.resampled_mr[sorted(kept).index(metric)])

    @property
    def useless(self) -> str | None:
        """Why they carry no information at all, whatever the budgets allow; None when they do.

        A model that tells nobody from anybody has collapsed: no drop, however generous, makes it
        one that somebody could use.
        """
        if self.evaluation.task == "verification":
            lengths = np.linalg.norm(self.outputs_nd.astype(np.float64), axis=1, keepdims=True)
            directions = self.outputs_nd / np.where(lengths > 0, lengths, 1)
            same = bool((np.ptp(directions, axis=0) <= _SAME).all())
        else:
            predicted = np.unique(self.outputs_nd.argmax(axis=1))
            same = len(predicted) == 1 and len(np.unique(self.labels_n)) > 1
        return "answers the same to every image" if same else None


def read_evaluated(path: Path) -> tuple[Evaluation, Answers | None]:
    """Read a report of evaluate, with what the model answered unless it crashed.

    Raises:
        UserError: There is none.
    """
    evaluation = Evaluation.read(path)
    return evaluation, None if evaluation.crashed else Answers.read(path)


def failure_of(evaluation: Evaluation, answers: Answers | None) -> str | None:
    """Say why a model cannot be used at all, whatever the budgets allow, or None."""
    if crash := evaluation.crashed:
        how = "was ended from outside" if crash.outside else "crashed"
        return f"{how} while it was evaluated: {crash.cause}"
    return answers.useless if answers else None


@dataclass(frozen=True, eq=False)
class Reference:
    """The reference's answers on a split with the resamples that everybody shares.

    One matrix of draws for all models is what makes the differences paired: an easy draw of
    identities is easy for both.

    Attributes:
        reference: What it answered.
        metric: What is compared.
        confidence: Which share the intervals hold, 0 to 1.
        draws: How often each identity, or image, was drawn, resamples x units.
        digest: Of the draws.
        measured: The reference's metric on the data and on every resample.
    """

    reference: Answers
    metric: str
    confidence: float
    draws: Counts
    digest: str
    measured: Estimate

    @classmethod
    def of(cls, reference: Answers, metric: str, resampling: Resampling) -> Reference:
        """Measure the reference.

        Args:
            reference: What it answered.
            metric: One of ``METRICS`` that exists for the reference's task.
            resampling: How intervals are made; equal seeds, equal draws.

        Raises:
            UserError: The task has no such metric, or the split cannot give it.
        """
        task, missing = reference.evaluation.task, reference.evaluation.unmeasured
        valid = [name for name, item in METRICS.items() if task in item.tasks]
        if metric not in valid:
            raise UserError(f"{task} has no metric {metric!r}", suggest(metric, valid))
        check_measured(metric, reference.evaluation.split, missing)
        draws = reference.sample.draw(resampling.resamples, resampling.seed)
        digest = digest_of(draws)
        measured = reference.measured(metric, draws, digest)
        return cls(reference, metric, resampling.confidence, draws, digest, measured)

    def drop_of(self, other: Answers) -> Interval:
        """Return the paired drop of ``other`` against the reference; positive is worse.

        Raises:
            ValueError: The two were not evaluated on the same images.
        """
        if not np.array_equal(other.labels_n, self.reference.labels_n):
            raise ValueError("two models to compare were not evaluated on the same images")
        measured = other.measured(self.metric, self.draws, self.digest)
        return drop(self.metric, self.measured, measured).interval(self.confidence)
