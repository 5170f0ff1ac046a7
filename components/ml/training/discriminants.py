"""Fisher's linear discriminants of images: what tells people apart, and not what varies in each.

With few people a network learns to tell exactly these apart and gets worse at all others; a linear
map cannot overfit like that.

Shapes: n images of the fit, b images of a batch, p numbers of an image (rows x columns x channels),
q principal components, g discriminants, k people.

References:
    Belhumeur et al., Eigenfaces vs. Fisherfaces (1997).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from components.ml.runtime import tf

_COMPONENTS = 100
_SHRINKAGE = 0.1


@dataclass(frozen=True, eq=False)
class Discriminants:
    """A linear map from images to discriminants.

    Attributes:
        mean_p: The mean image, 0 to 255; float32.
        matrix_pg: From the difference to it to the discriminants; float32.
    """

    mean_p: Any
    matrix_pg: Any

    def __call__(self, pixels_bhwc: Any) -> Any:
        """Return the discriminants ``bg`` of images, float32 of 0 to 255."""
        flat_bp = tf.reshape(pixels_bhwc, (-1, self.mean_p.shape[0]))
        return tf.matmul(flat_bp - self.mean_p, self.matrix_pg)


def fit(pixels_np: Any, labels_n: np.ndarray) -> Discriminants:
    """Fit the discriminants: principal components, then shrunken discriminants within them.

    Everything is computed by TensorFlow: its threads are set, those of numpy's linear algebra
    are the machine's, and with them the last bits.

    Args:
        pixels_np: 0 to 255.
        labels_n: Whose image each is; at least two people.
    """
    mean_p, matrix_pg = solved(tf.constant(pixels_np, tf.float64), labels_n)
    return Discriminants(tf.cast(mean_p, tf.float32), tf.cast(matrix_pg, tf.float32))


def solved(pixels_np: Any, labels_n: np.ndarray) -> tuple[Any, Any]:
    """Return mean and matrix of ``Discriminants``, float64; the last tell people apart best.

    Args:
        pixels_np: float64.
        labels_n: Whose image each is; at least two people.
    """
    mean_p = tf.reduce_mean(pixels_np, axis=0)
    axes_pq = _principal(pixels_np - mean_p)
    features_nq = tf.matmul(pixels_np - mean_p, axes_pq)
    people, index_n, counts_k = np.unique(labels_n, return_inverse=True, return_counts=True)
    centres_kq = tf.math.unsorted_segment_mean(features_nq, index_n, len(people))
    within_nq = features_nq - tf.gather(centres_kq, index_n)
    within_qq = tf.matmul(within_nq, within_nq, transpose_a=True) / len(labels_n)
    size = int(within_qq.shape[0])
    level = tf.linalg.trace(within_qq) / size
    if level == 0:  # all images of each are the same: any spread will do
        level = tf.linalg.trace(tf.matmul(features_nq, features_nq, transpose_a=True))
    shrunken_qq = (1 - _SHRINKAGE) * within_qq + _SHRINKAGE * level * tf.eye(size, dtype=tf.float64)
    weighted_kq = centres_kq * np.sqrt(counts_k / len(labels_n))[:, None]
    between_qq = tf.matmul(weighted_kq, weighted_kq, transpose_a=True)
    # A generalized eigenproblem, turned into a plain one by the root of one side.
    root_qq = tf.linalg.cholesky(shrunken_qq)
    half_qq = tf.linalg.triangular_solve(root_qq, between_qq)
    plain_qq = tf.linalg.triangular_solve(root_qq, tf.transpose(half_qq))
    _, vectors_qq = tf.linalg.eigh((plain_qq + tf.transpose(plain_qq)) / 2)
    kept = min(len(people) - 1, size)
    turned_qg = tf.linalg.triangular_solve(root_qq, vectors_qq[:, -kept:], adjoint=True)
    return mean_p, tf.matmul(axes_pq, turned_qg)


def _principal(centred_np: Any) -> Any:
    """Return the principal axes ``pq`` that matter, from whichever Gram matrix is smaller."""
    images, pixels = centred_np.shape
    wide = images < pixels
    gram = tf.matmul(centred_np, centred_np, transpose_a=not wide, transpose_b=wide)
    values, vectors = tf.linalg.eigh(gram)
    kept = int(min(_COMPONENTS, np.count_nonzero(values.numpy() > 1e-9 * values.numpy()[-1])))
    axes = vectors[:, -kept:]
    if wide:
        axes = tf.matmul(centred_np, axes, transpose_a=True) / tf.sqrt(values[-kept:])
    return axes
