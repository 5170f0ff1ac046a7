"""Metrics of verification and of classification, under weights and over resamples.

One model's outputs on a split are a *sample*; a matrix of draws is common to all models:

    reference = sample_of("verification", outputs, labels, resample="identity", threshold=0.4)
    draws = reference.draw(2000, seed=0)
    before, after = estimate(reference, draws), estimate(variant, draws)
    after["auc"].interval(0.95)                        # the metric
    drop("auc", before["auc"], after["auc"]).interval(0.95)   # paired; positive is worse

Shapes: n samples, d outputs, u units to resample, r resamples, k classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from components.contract.types import Unit
from components.statistics.bootstrap import Estimate, draw
from components.statistics.one_shot import Trials
from components.statistics.running_sums import Counts, Floats, Ints
from components.statistics.verification import Pairs


@dataclass(frozen=True)
class Metric:
    """What a metric is called and which way is better.

    Attributes:
        name: As in configuration and reports.
        title: As on pages.
        tasks: Where it exists.
        higher_is_better: Direction of a drop.
    """

    name: str
    title: str
    tasks: frozenset[str]
    higher_is_better: bool = True


_VERIFICATION = frozenset({"verification"})
_CLASSIFICATION = frozenset({"classification"})

METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("auc", "ROC-AUC", _VERIFICATION),
        Metric("eer", "equal error rate", _VERIFICATION, higher_is_better=False),
        Metric("accuracy", "accuracy", _VERIFICATION | _CLASSIFICATION),
        Metric("tar", "TAR at FAR 1e-2", _VERIFICATION),
        Metric("tar_1e3", "TAR at FAR 1e-3", _VERIFICATION),
        Metric("one_shot", "one-shot accuracy", _VERIFICATION),
        Metric("macro_f1", "macro F1", _CLASSIFICATION),
    )
}
"""Every metric there is. Verification's ``accuracy`` is balanced: the mean of the genuine pairs
accepted and the impostor pairs rejected, so that the many impostors do not decide it alone."""

_AT_ONCE = 4_000_000
"""So many weights of images, or of classes, are summed at a time."""

PRIMARY: Mapping[str, str] = {"verification": "auc", "classification": "accuracy"}
"""The metric that leads when nobody chose one."""


class Sample(Protocol):
    """One model's outputs on one split, ready to be measured under any weights."""

    @property
    def units(self) -> int:
        """How many units there are to resample."""
        ...

    def draw(self, resamples: int, seed: int) -> Counts:
        """Return r x u counts on which every metric exists; they depend on labels alone."""
        ...

    def measure(self, weights_ru: Counts) -> dict[str, Floats]:
        """Return every metric under each row of weights: name to r values."""
        ...


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a classifier says beside what is true: the sample of classification.

    Attributes:
        predicted: n class indices.
        labels: n class indices.
        classes: How many there are.
    """

    predicted: Ints
    labels: Ints
    classes: int

    @classmethod
    def of(cls, outputs: NDArray[np.generic], labels: NDArray[np.integer]) -> Predictions:
        """Take the class of the highest score; the lowest index among tied ones.

        Args:
            outputs: n x classes scores, of any scale.
            labels: n class indices.

        Raises:
            ValueError: A score is not finite, or a label is no class.
        """
        if not np.isfinite(outputs).all():
            raise ValueError("a score is not finite")
        classes = outputs.shape[1]
        if len(labels) == 0 or labels.min() < 0 or labels.max() >= classes:
            raise ValueError(f"{len(labels)} labels do not index {classes} classes")
        return cls(np.argmax(outputs, axis=1).astype(np.int64), labels.astype(np.int64), classes)

    @property
    def units(self) -> int:
        """How many images there are."""
        return self.labels.size

    def draw(self, resamples: int, seed: int) -> Counts:
        """Return r x n counts of images."""
        return draw(np.zeros(self.units, np.int64), resamples, seed)

    def measure(self, weights_ru: Counts) -> dict[str, Floats]:
        """Return accuracy and macro-F1: name to r values.

        The mean of F1 is over the classes that occur, in truth or in prediction, with a weight.
        """
        some = max(1, _AT_ONCE // max(self.units, self.classes))
        parts = [
            self._measure(weights_ru[at : at + some]) for at in range(0, len(weights_ru), some)
        ]
        accuracies, macro_f1s = zip(*parts, strict=True)
        return {"accuracy": np.concatenate(accuracies), "macro_f1": np.concatenate(macro_f1s)}

    def _measure(self, weights_ru: Counts) -> tuple[Floats, Floats]:
        weights = weights_ru.astype(np.float64)
        right_n = self.labels == self.predicted
        right_rk = self._by_class(weights[:, right_n], self.labels[right_n])
        occurs_rk = self._by_class(weights, self.labels) + self._by_class(weights, self.predicted)
        f1_rk = 2 * right_rk / np.maximum(occurs_rk, 1)
        accuracy = right_rk.sum(axis=1) / weights.sum(axis=1)
        return accuracy, f1_rk.sum(axis=1) / (occurs_rk > 0).sum(axis=1)

    def _by_class(self, weights_rn: Floats, classes_n: Ints) -> Floats:
        """Return r x k sums of weights; sums of whole numbers, so exact in any order."""
        sums_rk = np.zeros((len(weights_rn), self.classes))
        if classes_n.size:
            order = np.argsort(classes_n, kind="stable")
            found, starts = np.unique(classes_n[order], return_index=True)
            sums_rk[:, found] = np.add.reduceat(weights_rn[:, order], starts, axis=1)
        return sums_rk

    def confusion(self) -> Ints:
        """Return classes x classes counts: rows are true, columns predicted; for few classes."""
        flat = np.bincount(self.labels * self.classes + self.predicted, minlength=self.classes**2)
        return flat.reshape(self.classes, self.classes).astype(np.int64)

    def answers(self) -> Ints:
        """Return the entries of the confusion matrix that are not 0, in its order.

        Returns:
            One row each: true class, predicted class, count. As many as images, at most.
        """
        flat, counts = np.unique(self.labels * self.classes + self.predicted, return_counts=True)
        return np.stack([flat // self.classes, flat % self.classes, counts], axis=1)

    def confusions(self) -> Ints:
        """Return the rows of ``answers`` that are wrong, the most frequent first."""
        rows = self.answers()
        wrong = rows[rows[:, 0] != rows[:, 1]]
        return wrong[np.argsort(-wrong[:, 2], kind="stable")]

    def recalls(self) -> Floats:
        """Return of each class which part was found; 0 of one that does not occur."""
        right = np.bincount(self.labels[self.labels == self.predicted], minlength=self.classes)
        return right / np.maximum(np.bincount(self.labels, minlength=self.classes), 1)


def sample_of(
    task: str,
    outputs: NDArray[np.generic],
    labels: NDArray[np.integer],
    *,
    resample: Unit,
    threshold: float | None = None,
    trials: Trials | None = None,
) -> Pairs | Predictions:
    """Return the sample of a model's outputs.

    Args:
        task: "verification" or "classification".
        outputs: n x d embeddings or scores.
        labels: n identities or class indices.
        resample: See ``Pairs.of``; classification draws images whatever it is.
        threshold: See ``Pairs``; unused in classification.
        trials: See ``Pairs.of``; so.

    Raises:
        ValueError: See ``Pairs.of`` and ``Predictions.of``.
    """
    if task == "verification":
        return Pairs.of(outputs, labels, resample=resample, threshold=threshold, trials=trials)
    return Predictions.of(outputs, labels)


def estimate(sample: Sample, draws_ru: Counts) -> dict[str, Estimate]:
    """Measure a sample as it is and under every draw: name to estimate.

    Example:
        >>> labels = np.array([0, 0, 1, 1])
        >>> scores = np.array([[2.0, 0.1], [0.3, 0.9], [0.2, 1.5], [0.4, 0.6]])
        >>> sample = Predictions.of(scores, labels)
        >>> estimate(sample, sample.draw(100, seed=0))["accuracy"].value
        0.75
    """
    now = sample.measure(np.ones((1, sample.units), np.int32))
    resampled = sample.measure(draws_ru)
    return {name: Estimate(float(now[name][0]), resampled[name]) for name in now}


def drop(metric: str, reference: Estimate, variant: Estimate) -> Estimate:
    """Return by how much ``variant`` is worse than ``reference``, paired; negative is better.

    Raises:
        KeyError: There is no such metric.

    Example:
        >>> before, after = (Estimate(value, np.full(9, value)) for value in (0.75, 0.5))
        >>> drop("auc", before, after).value, drop("eer", before, after).value
        (0.25, -0.25)
    """
    if METRICS[metric].higher_is_better:
        return reference.minus(variant)
    return variant.minus(reference)
