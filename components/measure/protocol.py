"""Protocol: what a verifier reaches on the pairs that the user lists, fold by fold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from components.artifacts.pair_list import PairList, PairListResult
from components.statistics.fold_accuracy import fold_accuracy


def result_on(
    listed: PairList, outputs_nd: NDArray[np.generic], threshold: float | None
) -> PairListResult | None:
    """Compare the images of each pair by the cosine of what was answered to them.

    Args:
        listed: The pairs.
        outputs_nd: Of the images of the pairs, n x d.
        threshold: Chosen on the validation split; judges where there is one fold alone.

    Returns:
        The result; None of one fold without a threshold.
    """
    scores = np.concatenate(
        [
            _cosines(outputs_nd[listed.first[part]], outputs_nd[listed.second[part]])
            for part in np.array_split(np.arange(len(listed.first)), 1 + len(listed.first) // 256)
        ]
    )
    found = fold_accuracy(scores, listed.same, listed.folds, threshold)
    if found is None:
        return None
    return PairListResult(
        name=listed.name,
        pairs=len(scores),
        images=len(outputs_nd),
        accuracy=found.accuracy,
        standard_error=found.standard_error,
        accuracies=found.accuracies,
        thresholds=found.thresholds,
    )


def raw_pixels(listed: PairList) -> NDArray[np.uint8]:
    """Return the images as vectors: what the trivial baseline compares."""
    images = listed.images[:]
    return images.reshape(len(images), -1)


def _cosines(first_pd: NDArray[np.generic], second_pd: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return the cosine of each two rows, rounded as ``verification.cosines`` rounds."""
    first, second = first_pd.astype(np.float64), second_pd.astype(np.float64)
    lengths = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    lengths[lengths == 0] = np.inf
    cosines: NDArray[np.float64] = (first * second).sum(axis=1) / lengths
    return np.round(cosines, 9)
