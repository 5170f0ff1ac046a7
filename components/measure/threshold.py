"""The threshold of a verification, chosen on the validation split alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from components.artifacts.dataset import Dataset
from components.statistics.verification import Pairs, has_pairs

VALIDATION = "validation"


def threshold_of(
    outputs: NDArray[np.generic] | None, data: Dataset, earlier: float | None
) -> float | None:
    """Choose the threshold on validation; where the dataset has none, take the earlier one.

    Args:
        outputs: What a model, or the baseline, answers on the validation split, where there is one.
        data: Has the labels of that split.
        earlier: The threshold of an evaluation on a dataset that had the split.
    """
    if outputs is None:
        return earlier
    labels = data.labels(VALIDATION)
    return Pairs.of(outputs, labels).balanced_threshold() if has_pairs(labels) else None
