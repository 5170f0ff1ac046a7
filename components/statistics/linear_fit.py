"""Linear fits: what something costs as a weighted sum of what is counted of it.

Shapes: n things that were measured, f counts of each.

References:
    Allen, The Relationship between Variable Selection and Data Augmentation (1974): leaving one
    out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import cast

import numpy as np
from numpy.typing import NDArray

_CONSTANT = "constant"


@dataclass(frozen=True)
class LinearFit:
    """A constant and a weighted sum of counts; nothing makes less of it.

    Attributes:
        constant: What remains where every count is 0, from 0.
        weights: What one of each count adds, from 0, by its name.
        median_error: Median relative error of what was measured, each predicted from all others.
        rank_correlation: Spearman's, of these predictions and what was measured, -1 to 1.
    """

    constant: float
    weights: Mapping[str, float]
    median_error: float
    rank_correlation: float

    def predict(self, counts: Mapping[str, float]) -> float:
        """Return what something of these counts costs; counts without a weight add nothing."""
        return self.constant + sum(
            weight * counts[name] for name, weight in self.weights.items() if weight
        )


def fitted(
    counts: Sequence[Mapping[str, float]], values: Sequence[float], names: Sequence[str]
) -> LinearFit:
    """Fit what was measured; relative errors count, so that small things are fitted as well.

    Args:
        counts: Of every thing, at least two things more than there are names.
        values: What was measured of it, above 0.
        names: The counts that are looked at.
    """
    assert len(counts) == len(values) > len(names) + 1, "too few measurements for a fit"
    columns = (_CONSTANT, *names)
    x_nf = np.array([[1.0, *(float(each[name]) for name in names)] for each in counts])
    y_n = np.array(values, float)
    weights_f = _weights(x_nf, y_n)
    predicted_n = np.empty_like(y_n)
    for place in range(len(y_n)):
        others = np.arange(len(y_n)) != place
        predicted_n[place] = x_nf[place] @ _weights(x_nf[others], y_n[others])
    found = dict(zip(columns, map(float, weights_f), strict=True))
    return LinearFit(
        constant=found.pop(_CONSTANT),
        weights=found,
        median_error=float(np.median(np.abs(predicted_n / y_n - 1))),
        rank_correlation=rank_correlation(predicted_n, y_n),
    )


def _weights(x_nf: NDArray[np.float64], y_n: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weights, none below 0, with the least sum of squared relative errors.

    The counts that matter are found by trying every choice of them: of the best with no weight
    below 0, the others have the weight 0 (Lawson and Hanson, Solving Least Squares Problems, 1974).
    """
    relative_nf = x_nf / y_n[:, None]
    scales_f = np.maximum(np.abs(relative_nf).max(axis=0), 1e-300)
    scaled_nf, ones_n = relative_nf / scales_f, np.ones(len(y_n))
    best_f, least = np.zeros(x_nf.shape[1]), float(len(y_n))
    for size in range(1, x_nf.shape[1] + 1):
        for chosen in combinations(range(x_nf.shape[1]), size):
            part = list(chosen)
            # numpy's own types leave open what is solved.
            solved_f = cast(
                "NDArray[np.float64]", np.linalg.lstsq(scaled_nf[:, part], ones_n, rcond=None)[0]
            )
            if (solved_f < 0).any():
                continue
            error = float(((scaled_nf[:, part] @ solved_f - 1) ** 2).sum())
            if error < least * (1 - 1e-12):
                least, best_f = error, np.zeros(x_nf.shape[1])
                best_f[part] = solved_f
    return best_f / scales_f


def rank_correlation(one: Sequence[float] | NDArray[np.float64], other: object) -> float:
    """Return Spearman's rank correlation; 0 where all values of a side are equal.

    Args:
        one: Numbers.
        other: As many.
    """
    first, second = _ranks(np.asarray(one, float)), _ranks(np.asarray(other, float))
    first, second = first - first.mean(), second - second.mean()
    length = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float(first @ second) / length if length else 0.0


def _ranks(values_n: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rank of every value; equal ones have the mean of theirs."""
    _, inverse, counts = np.unique(values_n, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2.0)[inverse]
