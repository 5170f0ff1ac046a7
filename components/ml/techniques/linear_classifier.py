"""A linear classifier: softmax regression on the numbers of an image, its weights penalized.

The numbers are rotated to their principal axes and brought to like spreads, where plain gradient
steps with momentum are at the minimum after a hundred of them.

Shapes: n images, p numbers of an image, k classes.

References:
    Nesterov, A method of solving a convex programming problem with convergence rate O(1/k^2),
    1983.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from components.ml.runtime import tf

PENALTIES = (0.1, 0.01, 0.001)
"""Weights of the squared weights, half of it, in the loss: which one is best says validation."""
_STEPS = 100
_RATE = 1.0
"""A loss of a softmax curves by at most 1/2 a unit of variance, and there is less than 1 in any
direction; twice that rate would be stable."""


@dataclass(frozen=True, eq=False)
class LinearClassifier:
    """One that was fitted.

    Attributes:
        penalty: With which it was.
        matrix_pk: Of pixels, 0 to 255; float64.
        offset_k: Likewise.
    """

    penalty: float
    matrix_pk: Any
    offset_k: Any


def fitted(pixels_np: np.ndarray, labels_n: np.ndarray, classes: int) -> Iterator[LinearClassifier]:
    """Yield a classifier for each of ``PENALTIES``, each fitted from the one before.

    Args:
        pixels_np: 0 to 255, averaged.
        labels_n: 0 to ``classes`` - 1.
        classes: k.
    """
    wide_np = tf.constant(pixels_np, tf.float64)
    mean_p = tf.reduce_mean(wide_np, axis=0)
    covariance_pp = tf.matmul(wide_np - mean_p, wide_np - mean_p, transpose_a=True) / len(labels_n)
    spreads_p, axes_pp = tf.linalg.eigh(covariance_pp)
    # As much is added to every direction as one has on average: faint ones stay faint.
    level = tf.maximum(tf.reduce_mean(spreads_p), np.finfo(np.float64).tiny)
    axes_pp = axes_pp / tf.sqrt(tf.maximum(spreads_p, 0.0) + level)
    features_np = tf.cast(tf.matmul(wide_np - mean_p, axes_pp), tf.float32)
    targets_nk = tf.one_hot(labels_n, classes)
    count = float(len(labels_n))

    @tf.function(autograph=False)
    def slope(weights_pk: Any, offset_k: Any, penalty: Any) -> tuple[Any, Any]:
        logits_nk = tf.matmul(features_np, weights_pk) + offset_k
        error_nk = (tf.nn.softmax(logits_nk) - targets_nk) / count
        own_pk = tf.matmul(features_np, error_nk, transpose_a=True)
        return own_pk + penalty * weights_pk, tf.reduce_sum(error_nk, axis=0)

    weights_pk, offset_k = tf.zeros((pixels_np.shape[1], classes)), tf.zeros((classes,))
    for penalty in PENALTIES:
        ahead_pk, ahead_k = weights_pk, offset_k
        for step in range(_STEPS):
            slope_pk, slope_k = slope(ahead_pk, ahead_k, tf.constant(penalty, tf.float32))
            next_pk, next_k = ahead_pk - _RATE * slope_pk, ahead_k - _RATE * slope_k
            momentum = step / (step + 3)
            ahead_pk = next_pk + momentum * (next_pk - weights_pk)
            ahead_k = next_k + momentum * (next_k - offset_k)
            weights_pk, offset_k = next_pk, next_k
        matrix_pk = tf.matmul(axes_pp, tf.cast(weights_pk, tf.float64))
        moved_k = tf.linalg.matvec(matrix_pk, mean_p, transpose_a=True)
        yield LinearClassifier(penalty, matrix_pk, tf.cast(offset_k, tf.float64) - moved_k)
