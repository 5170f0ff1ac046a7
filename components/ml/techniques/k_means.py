"""K-means of single numbers: the few values that stand for many weights.

Shapes: n numbers, k centroids.

References:
    Lloyd, Least squares quantization in PCM, IEEE Transactions on Information Theory 28 (1982);
    Arthur and Vassilvitskii, k-means++, SODA 2007; Han et al., Deep Compression, arXiv:1510.00149
    (density and linear beginnings).
"""

from __future__ import annotations

import numpy as np

from components.ml.techniques.clustering_settings import Initialization

_ROUNDS = 100


def centroids_of(
    values_n: np.ndarray,
    count: int,
    initialization: Initialization,
    random: np.random.Generator,
    pinned: tuple[float, ...] = (),
) -> np.ndarray:
    """Return the values that are nearest to ``values_n`` on average, ascending.

    Args:
        values_n: Numbers.
        count: Centroids, pinned ones included; fewer where there are fewer different numbers.
        initialization: Where they begin.
        random: Draws the beginning of ``k-means++``.
        pinned: Centroids that do not move.
    """
    values_n = np.sort(np.asarray(values_n, np.float64).ravel())
    different = np.setdiff1d(values_n, pinned)
    free = min(count - len(pinned), len(different))
    if free <= 0:
        return np.sort(np.array(pinned))
    moving_k = _beginning(values_n, free, initialization, random)
    for _ in range(_ROUNDS):
        all_k = np.concatenate([moving_k, pinned])
        places_n = nearest(values_n, all_k)
        sums_k = np.bincount(places_n, values_n, len(all_k))[:free]
        counts_k = np.bincount(places_n, minlength=len(all_k))[:free]
        moved_k = np.where(counts_k > 0, sums_k / np.maximum(counts_k, 1), moving_k)
        if np.array_equal(moved_k, moving_k):
            break
        moving_k = moved_k
    return np.unique(np.concatenate([moving_k, pinned]))


def nearest(values: np.ndarray, centroids_k: np.ndarray) -> np.ndarray:
    """Return the number of the nearest centroid for every value, in the shape of the values."""
    order_k = np.argsort(centroids_k, kind="stable")
    ascending_k = centroids_k[order_k]
    between = (ascending_k[1:] + ascending_k[:-1]) / 2
    return order_k[np.searchsorted(between, values)]


def _beginning(
    values_n: np.ndarray, count: int, initialization: Initialization, random: np.random.Generator
) -> np.ndarray:
    if initialization == "linear":
        return np.linspace(values_n[0], values_n[-1], count)
    if initialization == "density":
        shares = (np.arange(count) + 0.5) / count
        return np.quantile(values_n, shares)
    chosen = [random.choice(values_n)]
    distances_n = np.square(values_n - chosen[0])
    while len(chosen) < count and distances_n.sum() > 0:
        chosen.append(random.choice(values_n, p=distances_n / distances_n.sum()))
        distances_n = np.minimum(distances_n, np.square(values_n - chosen[-1]))
    return np.array(chosen + [chosen[0]] * (count - len(chosen)))
