"""Losses between the feature maps of two networks, student and teacher.

Shapes: b images in the batch, h rows, w columns, c channels of the student's layer, p numbers a
place that are kept of the teacher's, m = h w places.
"""

from __future__ import annotations

from typing import Any

from components.ml.runtime import tf

_TINY = 1e-12


def attention_map(features_bhwc: Any) -> Any:
    """Return where a layer looks: the sum of its squared channels at every place, of length 1.

    Returns:
        ``bm``.

    References:
        Zagoruyko and Komodakis, Paying More Attention to Attention, arXiv:1612.03928.
    """
    places = features_bhwc.shape[1] * features_bhwc.shape[2]
    map_bm = tf.reshape(tf.reduce_sum(tf.square(features_bhwc), axis=-1), [-1, places])
    return tf.math.l2_normalize(map_bm, axis=1, epsilon=_TINY)


def attention_matching(features_bhwc: Any, teacher_bm: Any) -> Any:
    """Ask for the teacher's attention map.

    Args:
        features_bhwc: The student's.
        teacher_bm: What ``attention_map`` makes of the teacher's.

    Returns:
        A scalar, 0 to 2: the mean over the images of the squared distance.

    References:
        arXiv:1612.03928.
    """
    difference_bm = attention_map(features_bhwc) - teacher_bm
    return tf.reduce_mean(tf.reduce_sum(tf.square(difference_bm), axis=1))


def hint_matching(features_bhwc: Any, kernel_cp: Any, bias_p: Any, teacher_bq: Any) -> Any:
    """Ask for the teacher's features, after a linear map of the student's at every place.

    Args:
        features_bhwc: The student's.
        kernel_cp: Of the map, which is learned too.
        bias_p: Of the map.
        teacher_bq: The teacher's, q = h w p numbers, row after row.

    Returns:
        A scalar: the squared distance at a place, the mean over places and images.

    References:
        Romero et al., FitNets, arXiv:1412.6550.
    """
    mapped_bhwp = tf.tensordot(features_bhwc, kernel_cp, 1) + bias_p
    difference_bhwp = mapped_bhwp - tf.reshape(teacher_bq, tf.shape(mapped_bhwp))
    return tf.reduce_mean(tf.reduce_sum(tf.square(difference_bhwp), axis=-1))
