"""A linear guide: what linear discriminants see in a picture, for a network to begin from.

With few people a network learns to tell exactly these apart and gets worse at all others. A linear
map cannot overfit like that. So training may ask that the cosines between the images of a batch
are those between their discriminants; also for images that are nobody: mixes of two.

Shapes: n images of the fit, b images of a batch, m of them mixes, p numbers of a picture (rows x
columns x channels), d numbers of an embedding, q principal components, g discriminants, k people.

References:
    Belhumeur et al., Eigenfaces vs. Fisherfaces (1997); Tung and Mori, Similarity-Preserving
    Knowledge Distillation, arXiv:1907.09682; Zhang et al., mixup, arXiv:1710.09412.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from components.ml.runtime import tf
from components.ml.settings import Guidance, Recipe
from components.ml.training import augmentation
from components.ml.training.augmentation import STRENGTHS
from components.ml.training.examples import Examples
from components.ml.training.losses import similarity_matching

_ROWS = 1200
"""Images that the discriminants are fitted on, at most."""
_COPIES = 6
"""Augmented copies of each, where there is room."""
_COMPONENTS = 100
_SHRINKAGE = 0.1


@dataclass(frozen=True, eq=False)
class Guide:
    """Discriminants of the training people.

    Attributes:
        mean_p: The mean picture, 0 to 255.
        matrix_pg: From the difference to it to the discriminants.
        weight: Of its loss.
        mixes: m.
    """

    mean_p: Any
    matrix_pg: Any
    weight: float
    mixes: int

    def mixed(self, pixels_bhwc: Any, seed: Any) -> Any:
        """Return the batch with mixes of two random images each behind it.

        Args:
            pixels_bhwc: 0 to 255.
            seed: Two integers.
        """
        if not self.mixes:
            return pixels_bhwc
        count = tf.shape(pixels_bhwc)[0]
        pair_m2 = tf.random.stateless_uniform(
            (self.mixes, 2), seed=seed, maxval=count, dtype=tf.int32
        )
        least, most = augmentation.SHARES
        share_m = tf.random.stateless_uniform((self.mixes,), seed=seed, minval=least, maxval=most)
        first_mhwc = tf.gather(pixels_bhwc, pair_m2[:, 0])
        second_mhwc = tf.gather(pixels_bhwc, pair_m2[:, 1])
        mixes_mhwc = augmentation.mix(first_mhwc, second_mhwc, share_m)
        return tf.concat([pixels_bhwc, mixes_mhwc], axis=0)

    def __call__(self, embeddings_bd: Any, pixels_bhwc: Any) -> Any:
        """Return the mean squared difference between both cosines, over all pairs; a scalar."""
        return similarity_matching(embeddings_bd, self.discriminants(pixels_bhwc))

    def discriminants(self, pixels_bhwc: Any) -> Any:
        """Return what the guide sees, ``bg``."""
        flat_bp = tf.reshape(pixels_bhwc, (-1, self.mean_p.shape[0]))
        return tf.matmul(flat_bp - self.mean_p, self.matrix_pg)


def guide_of(examples: Examples, guidance: Guidance, recipe: Recipe) -> Guide | None:
    """Fit the discriminants to the training images, some of them augmented; None when not asked.

    Everything is computed by TensorFlow: its threads are set, those of numpy's linear algebra
    are the machine's, and with them the last bits.
    """
    if not guidance.guide_weight or not examples.compared:
        return None
    random = np.random.default_rng([recipe.seed, len(examples.labels_n)])
    chosen = random.permutation(examples.images)[:_ROWS]
    copies = min(_COPIES, _ROWS // len(chosen) - 1)
    pixels = [np.asarray(examples.images_nhwc[np.sort(chosen)], np.float32)]
    for copy in range(copies):
        draws_nk = augmentation.draw(len(chosen), flip=recipe.flip, random=random)
        changed = augmentation.apply(
            tf.constant(pixels[0]), tf.constant(draws_nk), STRENGTHS[recipe.augment], (copy, 0)
        )
        pixels.append(changed.numpy())
    pixels_np = np.concatenate(pixels).reshape(len(chosen) * (copies + 1), -1)
    labels_n = np.tile(examples.labels_n[np.sort(chosen)], copies + 1)
    mean_p, matrix_pg = _discriminants(tf.constant(pixels_np, tf.float64), labels_n)
    return Guide(
        mean_p=tf.cast(mean_p, tf.float32),
        matrix_pg=tf.cast(matrix_pg, tf.float32),
        weight=guidance.guide_weight,
        mixes=guidance.mixes,
    )


def _discriminants(pixels_np: Any, labels_n: np.ndarray) -> tuple[Any, Any]:
    """Return the mean and the matrix: principal components, then shrunken discriminants.

    Args:
        pixels_np: float64.
        labels_n: Whose picture each is; at least two people.
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
