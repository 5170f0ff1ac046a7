"""The baseline: what the trivial answer to a task, which nobody had to learn, is worth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.artifacts.dataset import Dataset
from components.artifacts.evaluation import Evaluation
from components.measure.threshold import VALIDATION, threshold_of
from components.statistics.metrics import Predictions, Sample
from components.statistics.one_shot import Trials
from components.statistics.verification import Pairs


@dataclass(frozen=True, eq=False)
class TrivialAnswer:
    """The trivial answer on a split.

    Attributes:
        name: "raw-pixel cosine" or "majority class".
        sample: What its metrics are measured on.
        threshold: Verification: where its accuracy is read.
        majority: Classification: the class that it always gives.
    """

    name: str
    sample: Sample
    threshold: float | None = None
    majority: str | None = None


def trivial_answer(
    data: Dataset, split: str, earlier: Evaluation | None, trials: Trials | None = None
) -> TrivialAnswer:
    """Return the trivial answer to the task of a dataset.

    Args:
        data: Holds the split, and perhaps others.
        split: What to answer on.
        earlier: An evaluation that had the splits which ``data`` lacks.
        trials: One-shot trials on the split.
    """
    if data.info.task == "verification":
        return _pixel_cosine(data, split, earlier, trials)
    return _majority_class(data, split, earlier)


def _pixel_cosine(
    data: Dataset, split: str, earlier: Evaluation | None, trials: Trials | None
) -> TrivialAnswer:
    info = data.info
    known = _pixels(data, VALIDATION) if VALIDATION in info.splits else None
    threshold = threshold_of(known, data, earlier.baseline.threshold if earlier else None)
    labels = data.labels(split)
    sample = Pairs.of(
        _pixels(data, split), labels, resample=info.resample, threshold=threshold, trials=trials
    )
    return TrivialAnswer("raw-pixel cosine", sample, threshold=threshold)


def _pixels(data: Dataset, split: str) -> NDArray[np.uint8]:
    images = np.asarray(data.images(split))  # of verification, which compares all pairs: few
    return images.reshape(len(images), -1)


def _majority_class(data: Dataset, split: str, earlier: Evaluation | None) -> TrivialAnswer:
    """Give the class that was seen most in training; a sealed dataset alone does not know it."""
    info, labels = data.info, data.labels(split)
    trained = "train" in info.splits
    seen = data.labels("train") if trained else labels
    majority = info.classes[int(np.bincount(seen).argmax())]
    if not trained and earlier and earlier.baseline.majority:
        majority = earlier.baseline.majority
    always = np.full(len(labels), info.classes.index(majority), np.int64)
    sample = Predictions(always, labels.astype(np.int64), len(info.classes))
    return TrivialAnswer("majority class", sample, majority=majority)
