"""Bootstrap estimates: what a measured number would have been on another draw of the same data.

References:
    Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapters 13 (percentile
    intervals) and 8 (resampling what is exchangeable: identities, not pairs).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

REDRAWS = 1000
"""Rounds of drawing again before data are declared too small to resample."""


@dataclass(frozen=True)
class Interval:
    """A number with the interval around it.

    Attributes:
        value: The number on the data as they are.
        low: Lower end of the interval.
        high: Upper end.

    Example:
        >>> estimate = Estimate(value=50.0, resampled=np.arange(101.0))
        >>> estimate.interval(0.5)
        Interval(value=50.0, low=25.0, high=75.0)
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Estimate:
    """A number on the data as they are, and on every resample of them.

    Attributes:
        value: The number.
        resampled: r numbers; the same index is the same resample in every estimate that was made
            from one matrix of draws, which is what makes differences *paired*.
    """

    value: float
    resampled: NDArray[np.float64]

    def interval(self, confidence: float) -> Interval:
        """Return the percentile interval that holds the share ``confidence`` (0 to 1)."""
        tail = (1 - confidence) / 2
        low, high = np.quantile(self.resampled, [tail, 1 - tail])
        return Interval(self.value, float(low), float(high))

    def minus(self, other: Estimate) -> Estimate:
        """Return the paired difference.

        Raises:
            ValueError: The two were not resampled equally often.
        """
        if self.resampled.shape != other.resampled.shape:
            raise ValueError(
                f"{self.resampled.size} and {other.resampled.size} resamples are not paired"
            )
        return Estimate(self.value - other.value, self.resampled - other.resampled)


def draw(
    strata: NDArray[np.integer],
    resamples: int,
    seed: int,
    usable: Callable[[NDArray[np.int32]], NDArray[np.bool_]] | None = None,
) -> NDArray[np.int32]:
    """Draw as many units as there are, with replacement and each stratum for itself.

    A stratum is what the design fixed: units that are all in one can come in any mix, and where
    the images of every identity were counted out beforehand, their numbers are not left to chance.

    A resample on which the statistic does not exist (one identity alone has no impostors) is drawn
    again until it does, so an estimate is conditional on its existence.

    Args:
        strata: The stratum of each of u units, u at least 1.
        resamples: How often, at least 1.
        seed: Equal seeds, equal draws.
        usable: Takes counts (r x u) and says which rows the statistic exists on; it may look at
            labels, never at a model's outputs, or draws would no longer be common to all models.

    Returns:
        How often each unit was drawn, resamples x u; every row sums to u.

    Raises:
        ValueError: Hardly any draw is usable.
    """
    random = np.random.default_rng(seed)
    counts = _draw(random, strata, resamples)
    if usable is None:
        return counts
    for _ in range(REDRAWS):
        (bad,) = np.nonzero(~usable(counts))
        if not bad.size:
            return counts
        counts[bad] = _draw(random, strata, bad.size)
    raise ValueError(
        f"{strata.size} units are too few to resample: nearly every draw is degenerate"
    )


def digest_of(draws_ru: NDArray[np.int32]) -> str:
    """Return the sha256 of draws: estimates of equal ones are paired."""
    state = hashlib.sha256(repr(draws_ru.shape).encode())
    state.update(np.ascontiguousarray(draws_ru, "<i4").data)
    return state.hexdigest()


def _draw(
    random: np.random.Generator, strata: NDArray[np.integer], resamples: int
) -> NDArray[np.int32]:
    """Return counts of one draw a row; integers, so that later sums are exact."""
    counts = np.empty((resamples, strata.size), np.int32)
    for stratum in np.unique(strata):
        (members,) = np.nonzero(strata == stratum)
        drawn = random.integers(0, members.size, size=(resamples, members.size))
        drawn += np.arange(resamples)[:, None] * members.size
        flat = np.bincount(drawn.ravel(), minlength=resamples * members.size)
        counts[:, members] = flat.reshape(resamples, members.size)
    return counts


def weighted_quantiles(
    values: NDArray[np.float64], weights_rn: NDArray[np.int32], share: float
) -> NDArray[np.float64]:
    """Return the quantile of ``values`` under each row of weights.

    It is the smallest value that at least ``share`` of the weight does not exceed (the inverse of
    the distribution function), so always one of the values that were measured.

    Args:
        values: n values in any order.
        weights_rn: r x n non-negative counts; no row is all zero.
        share: 0 to 1, such as 0.5 for the median.
    """
    order = np.argsort(values, kind="stable")
    cumulative_rn = np.cumsum(weights_rn[:, order], axis=1, dtype=np.int64)
    needed_r1 = np.maximum(np.ceil(share * cumulative_rn[:, -1:] - 1e-9), 1)
    return values[order][np.argmax(cumulative_rn >= needed_r1, axis=1)]


def grouped_quantiles(
    values: NDArray[np.float64], sizes: Sequence[int], weights_rg: NDArray[np.int32], share: float
) -> NDArray[np.float64]:
    """Return what ``weighted_quantiles`` does where all values of a group have one weight.

    It takes memory for the values and the weights of the groups, not for r weights of each value.

    Args:
        values: n values, group after group.
        sizes: How many each of g groups has.
        weights_rg: r x g non-negative counts; no row is all zero.
        share: 0 to 1.
    """
    ranked = np.sort(values)
    # Of each group, how many values lie at or below one that a row is compared with.
    groups = [np.sort(part) for part in np.split(values, np.cumsum(sizes)[:-1])]
    needed_r = np.maximum(np.ceil(share * (weights_rg @ np.array(sizes)) - 1e-9), 1)
    low_r = np.zeros(len(weights_rg), np.int64)
    high_r = np.full(len(weights_rg), len(ranked) - 1, np.int64)
    while (low_r < high_r).any():
        middle_r = (low_r + high_r) // 2
        at_r = ranked[middle_r]
        below_rg = np.stack([np.searchsorted(part, at_r, side="right") for part in groups], axis=1)
        enough_r = (below_rg * weights_rg).sum(axis=1) >= needed_r
        high_r = np.where(enough_r, middle_r, high_r)
        low_r = np.where(enough_r, low_r, middle_r + 1)
    return ranked[low_r]


def quantile(values: NDArray[np.float64], share: float) -> float:
    """Return the quantile of ``values`` as ``weighted_quantiles`` defines it."""
    return float(weighted_quantiles(values, np.ones((1, values.size), np.int32), share)[0])
