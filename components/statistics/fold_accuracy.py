"""Accuracy over folds of listed pairs: each fold is judged by the threshold of the others.

Shapes: p pairs.

References:
    Huang, Ramesh, Berg and Learned-Miller, Labeled Faces in the Wild (2007): section 4, the mean
    accuracy over ten folds and its standard error.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.statistics.running_sums import Floats


@dataclass(frozen=True)
class FoldAccuracy:
    """What folds of pairs say of a verifier.

    Attributes:
        accuracy: Mean over the folds, 0 to 1.
        standard_error: Standard deviation over the folds, by the root of their number; None of
            one fold.
        accuracies: Of each fold.
        thresholds: By which each fold was judged; a pair is accepted at it or above.
    """

    accuracy: float
    standard_error: float | None
    accuracies: tuple[float, ...]
    thresholds: tuple[float, ...]


def fold_accuracy(
    scores: Floats,
    same: NDArray[np.bool_],
    folds: NDArray[np.integer],
    threshold: float | None = None,
) -> FoldAccuracy | None:
    """Measure listed pairs fold by fold.

    Args:
        scores: p cosines.
        same: Whether the two images of each pair show the same.
        folds: p numbers of folds.
        threshold: Judges the only fold, where there is one alone: there are no others to choose on.

    Returns:
        The accuracy; None of one fold without a threshold.
    """
    names = np.unique(folds)
    if names.size == 1 and threshold is None:
        return None
    thresholds = [
        threshold
        if names.size == 1 and threshold is not None
        else best_threshold(scores[folds != name], same[folds != name])
        for name in names
    ]
    accuracies = [
        float(np.equal(scores[folds == name] >= cut, same[folds == name]).mean())
        for name, cut in zip(names, thresholds, strict=True)
    ]
    error = None if names.size == 1 else statistics.stdev(accuracies) / math.sqrt(names.size)
    return FoldAccuracy(float(np.mean(accuracies)), error, tuple(accuracies), tuple(thresholds))


def best_threshold(scores: Floats, same: NDArray[np.bool_]) -> float:
    """Return the threshold of the highest accuracy; the middle one of several.

    It lies half-way between two scores that occurred, or beyond all of them.
    """
    levels = np.unique(scores)
    cuts = np.concatenate([levels[:1] - 1, (levels[1:] + levels[:-1]) / 2, levels[-1:] + 1])
    genuine, impostor = np.sort(scores[same]), np.sort(scores[~same])
    accepted = genuine.size - np.searchsorted(genuine, cuts, "left")
    right = accepted + np.searchsorted(impostor, cuts, "left")
    best = np.flatnonzero(right == right.max())
    return float(cuts[best[(best.size - 1) // 2]])
