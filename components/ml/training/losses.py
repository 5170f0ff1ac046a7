"""Losses on a batch: pure functions of embeddings or logits and labels.

Embeddings come as the network gave them; every function normalizes them itself, because what is
compared in the end is the cosine.

Shapes: b images in the batch, d numbers in an embedding, k classes or identities, t numbers in a
teacher's embedding.
"""

from __future__ import annotations

from typing import Any

from components.ml.runtime import tf
from components.ml.settings import Loss

MARGINS: dict[Loss, float] = {
    "contrastive": 0.5,
    "triplet": 0.2,
    "cosine_softmax": 0.1,
    "cross_entropy": 0.0,
}
"""The margin of each loss when nobody chose one."""

_TINY = 1e-8
_FAR = 1e9
_SATURATED = 1e-6
"""Distance from 0 and from 1 at which a sigmoid in float32 says nothing more."""


def unit(vectors_bd: Any) -> Any:
    """Divide every row by its length."""
    return tf.math.l2_normalize(vectors_bd, axis=1, epsilon=_TINY)


def contrastive(embeddings_bd: Any, labels_b: Any, margin: float = 0.5) -> Any:
    """Pull pairs of one identity together and push others apart, over all pairs of the batch.

    Genuine pairs cost ``(1 - cos)^2``; impostor pairs ``max(0, cos - (1 - 2 margin))^2``, so a
    margin of 0.5 lets them rest at a right angle. Both kinds weigh the same, however many there
    are of each.

    Args:
        embeddings_bd: Of any length.
        labels_b: Identities; at least two, and one of them twice.
        margin: 0 to 1: which part of the way from equal to opposite impostors are driven.

    Returns:
        A scalar.

    References:
        Hadsell et al., Dimensionality Reduction by Learning an Invariant Mapping (2006).
    """
    cosine_bb = _cosines(embeddings_bd)
    same_bb, other_bb = _pairs(labels_b)
    genuine_bb = tf.square(1.0 - cosine_bb) * same_bb
    impostor_bb = tf.square(tf.nn.relu(cosine_bb - (1.0 - 2.0 * margin))) * other_bb
    return (
        tf.reduce_sum(genuine_bb) / tf.reduce_sum(same_bb)
        + tf.reduce_sum(impostor_bb) / tf.reduce_sum(other_bb)
    ) / 2.0


def triplet(embeddings_bd: Any, labels_b: Any, margin: float = 0.2) -> Any:
    """Ask that every genuine pair lies closer than its semi-hard impostor by the margin.

    Distances are squared Euclidean between unit vectors, ``2 - 2 cos``. The impostor of a genuine
    pair is the nearest one that is farther than the pair; where there is none, the farthest.

    Args:
        embeddings_bd: Of any length.
        labels_b: Identities; at least two, and one of them twice.
        margin: Above 0 and below 4, in squared distance.

    Returns:
        A scalar: the mean over all ordered genuine pairs.

    References:
        Schroff et al., FaceNet, arXiv:1503.03832.
    """
    distance_bb = 2.0 - 2.0 * _cosines(embeddings_bd)
    same_bb, other_bb = _pairs(labels_b)
    impostor_bb = other_bb > 0
    # Axes: anchor, positive, candidate.
    farther_bbb = impostor_bb[:, None, :] & (distance_bb[:, None, :] > distance_bb[:, :, None])
    far = tf.reduce_max(distance_bb) + 1.0
    nearest_bb = tf.reduce_min(tf.where(farther_bbb, distance_bb[:, None, :], far), axis=2)
    farthest_b = tf.reduce_max(tf.where(impostor_bb, distance_bb, -1.0), axis=1)
    negative_bb = tf.where(tf.reduce_any(farther_bbb, axis=2), nearest_bb, farthest_b[:, None])
    cost_bb = tf.nn.relu(distance_bb - negative_bb + margin) * same_bb
    return tf.reduce_sum(cost_bb) / tf.reduce_sum(same_bb)


def cosine_softmax(
    embeddings_bd: Any,
    labels_b: Any,
    prototypes_kd: Any,
    *,
    scale: float = 16.0,
    margin: float = 0.2,
    label_smoothing: float = 0.0,
) -> Any:
    """Classify identities by the cosine to one learned direction each.

    The own identity's cosine is lowered by the margin, so that it must win by that much.

    Args:
        embeddings_bd: Of any length.
        labels_b: Indices of the prototypes.
        prototypes_kd: Of any length.
        scale: Inverse temperature; what makes cosines of -1 to 1 wide enough for a softmax.
        margin: 0 (NormFace) to 1.
        label_smoothing: Share of the target spread over all identities.

    Returns:
        A scalar.

    References:
        Wang et al., NormFace, arXiv:1704.06369; Wang et al., CosFace, arXiv:1801.09414; Deng et
        al., ArcFace, arXiv:1801.07698 (which puts the margin on the angle).
    """
    cosine_bk = tf.matmul(unit(embeddings_bd), unit(prototypes_kd), transpose_b=True)
    own_bk = tf.one_hot(labels_b, tf.shape(prototypes_kd)[0], dtype=cosine_bk.dtype)
    logits_bk = scale * (cosine_bk - margin * own_bk)
    return cross_entropy(logits_bk, labels_b, label_smoothing=label_smoothing)


def supervised_contrastive(embeddings_bd: Any, labels_b: Any, temperature: float = 0.1) -> Any:
    """Ask that each image finds its own identity's other images among all of the batch.

    A softmax over the cosines to all other images; its targets are the genuine ones, alike.

    Args:
        embeddings_bd: Of any length.
        labels_b: Identities; at least two, each at least twice.
        temperature: What the cosines are divided by, above 0.

    Returns:
        A scalar, in nats.

    References:
        Khosla et al., Supervised Contrastive Learning, arXiv:2004.11362.
    """
    same_bb, _ = _pairs(labels_b)
    self_bb = tf.eye(tf.shape(labels_b)[0])
    logits_bb = _cosines(embeddings_bd) / temperature - _FAR * self_bb
    log_share_bb = logits_bb - tf.reduce_logsumexp(logits_bb, axis=1, keepdims=True)
    # An image may not be its own target; its -_FAR would drown the sum even times 0.
    own_b = tf.reduce_sum(tf.where(same_bb > 0, log_share_bb, 0.0), axis=1)
    return -tf.reduce_mean(own_b / tf.maximum(tf.reduce_sum(same_bb, axis=1), 1.0))


def cross_entropy(
    logits_bk: Any, labels_b: Any, *, label_smoothing: float = 0.0, weights_b: Any | None = None
) -> Any:
    """Return the mean negative log-likelihood of the labels, in nats.

    Args:
        logits_bk: Before the softmax.
        labels_b: Class indices.
        label_smoothing: Share of the target spread over all classes (arXiv:1512.00567).
        weights_b: What each image weighs; None: 1.
    """
    classes = tf.shape(logits_bk)[1]
    own_bk = tf.one_hot(labels_b, classes, dtype=logits_bk.dtype)
    target_bk = own_bk * (1.0 - label_smoothing) + label_smoothing / tf.cast(
        classes, logits_bk.dtype
    )
    loss_b = tf.nn.softmax_cross_entropy_with_logits(labels=target_bk, logits=logits_bk)
    return tf.reduce_mean(loss_b if weights_b is None else weights_b * loss_b)


def soft_labels(
    logits_bk: Any, teacher_bk: Any, temperature: float, weights_b: Any | None = None
) -> Any:
    """Ask for the teacher's probabilities at a temperature.

    The Kullback-Leibler divergence from the teacher's to the student's softened probabilities,
    times the squared temperature, which keeps its gradients beside those of the hard labels.

    Args:
        logits_bk: The student's.
        teacher_bk: The teacher's logits, or the logarithms of its probabilities.
        temperature: Above 0; larger shows more of how the teacher ranks the wrong classes.
        weights_b: What each image weighs; None: 1.

    Returns:
        A scalar.

    References:
        Hinton et al., Distilling the Knowledge in a Neural Network, arXiv:1503.02531.
    """
    teacher_log_bk = tf.nn.log_softmax(teacher_bk / temperature)
    student_log_bk = tf.nn.log_softmax(logits_bk / temperature)
    divergence_b = tf.reduce_sum(tf.exp(teacher_log_bk) * (teacher_log_bk - student_log_bk), axis=1)
    if weights_b is not None:
        divergence_b *= weights_b
    return temperature**2 * tf.reduce_mean(divergence_b)


def logits_of_sigmoid(scores_bk: Any) -> Any:
    """Return what a sigmoid was given, from what it returned; no further from 0 than 14."""
    inside_bk = tf.clip_by_value(scores_bk, _SATURATED, 1.0 - _SATURATED)
    return tf.math.log(inside_bk / (1.0 - inside_bk))


def soft_scores(logits_bk: Any, teacher_bk: Any, temperature: float) -> Any:
    """Ask for the teacher's scores at a temperature, where each class is judged alone.

    As ``soft_labels``, with a Bernoulli distribution for each class in place of one over all: the
    divergences are summed over the classes.

    Args:
        logits_bk: The student's, before the sigmoid.
        teacher_bk: The teacher's, before the sigmoid.
        temperature: Above 0.

    Returns:
        A scalar.
    """
    student_bk, teacher_bk = logits_bk / temperature, teacher_bk / temperature
    scores_bk = tf.sigmoid(teacher_bk)
    cross_bk = tf.nn.sigmoid_cross_entropy_with_logits(labels=scores_bk, logits=student_bk)
    own_bk = tf.nn.sigmoid_cross_entropy_with_logits(labels=scores_bk, logits=teacher_bk)
    return temperature**2 * tf.reduce_mean(tf.reduce_sum(cross_bk - own_bk, axis=1))


def embedding_matching(embeddings_bt: Any, teacher_bt: Any) -> Any:
    """Ask for the teacher's direction: the mean of ``1 - cos`` between both embeddings."""
    return tf.reduce_mean(1.0 - tf.reduce_sum(unit(embeddings_bt) * unit(teacher_bt), axis=1))


def relational_matching(embeddings_bd: Any, teacher_bt: Any) -> Any:
    """Ask for the teacher's distances between the images of the batch, up to a common scale.

    The distances between unit vectors are divided by their mean over the batch, on both sides,
    and compared by a Huber loss of width 1. Needs two images; the sizes of both embeddings are
    free.

    Returns:
        A scalar: the mean over all pairs.

    References:
        Park et al., Relational Knowledge Distillation, arXiv:1904.05068 (RKD-D).
    """
    student_bb, teacher_bb = _relative(embeddings_bd), _relative(teacher_bt)
    error_bb = tf.abs(student_bb - teacher_bb)
    huber_bb = tf.where(error_bb < 1.0, 0.5 * tf.square(error_bb), error_bb - 0.5)
    images = tf.cast(tf.shape(huber_bb)[0], huber_bb.dtype)
    return tf.reduce_sum(huber_bb) / (images * (images - 1.0))


def similarity_matching(embeddings_bd: Any, teacher_bt: Any) -> Any:
    """Ask for the teacher's cosines between the images of the batch.

    The sizes of both embeddings are free.

    Returns:
        A scalar: the mean squared difference over all pairs.

    References:
        Tung and Mori, Similarity-Preserving Knowledge Distillation, arXiv:1907.09682.
    """
    return tf.reduce_mean(tf.square(_cosines(embeddings_bd) - _cosines(teacher_bt)))


def distribution_matching(embeddings_bd: Any, teacher_bt: Any, temperature: float = 0.1) -> Any:
    """Ask that the images near each image are near it by as much as for the teacher.

    The cosines from each image to all others of the batch become a distribution by a softmax; the
    Kullback-Leibler divergence is from the teacher's to the student's. What is far away hardly
    counts, other than in ``similarity_matching``. The sizes of both embeddings are free.

    Args:
        embeddings_bd: The student's, of any length; two or more.
        teacher_bt: The teacher's.
        temperature: What the cosines of both are divided by, above 0; lower looks at fewer.

    Returns:
        A scalar: the mean over all images, in nats.

    References:
        Fang et al., SEED, arXiv:2101.04731; Abbasi Koohpayegani et al., CompRess, arXiv:2010.14713.
    """
    teacher_log_bb, own_bb = _log_shares(teacher_bt, temperature)
    student_log_bb, _ = _log_shares(embeddings_bd, temperature)
    # An image's share of itself is 0, and 0 times the difference of two huge logarithms is not.
    gain_bb = tf.where(own_bb, 0.0, teacher_log_bb - student_log_bb)
    return tf.reduce_mean(tf.reduce_sum(tf.exp(teacher_log_bb) * gain_bb, axis=1))


def _log_shares(embeddings_bd: Any, temperature: float) -> tuple[Any, Any]:
    """Return the log softmax of the cosines to others, and where an image meets itself."""
    own_bb = tf.eye(tf.shape(embeddings_bd)[0], dtype=tf.bool)
    logits_bb = tf.where(own_bb, -_FAR, _cosines(embeddings_bd) / temperature)
    return tf.nn.log_softmax(logits_bb, axis=1), own_bb


def _relative(embeddings_bd: Any) -> Any:
    """Return distances between unit vectors over their mean; 0 on the diagonal."""
    squared_bb = 2.0 - 2.0 * _cosines(embeddings_bd)
    images = tf.shape(squared_bb)[0]
    off_bb = 1.0 - tf.eye(images, dtype=squared_bb.dtype)
    # The slope of a square root at 0 is infinite, and the diagonal is always there.
    distance_bb = tf.sqrt(tf.maximum(squared_bb, _TINY)) * off_bb
    return distance_bb / (tf.reduce_sum(distance_bb) / tf.reduce_sum(off_bb))


def _cosines(embeddings_bd: Any) -> Any:
    unit_bd = unit(embeddings_bd)
    return tf.matmul(unit_bd, unit_bd, transpose_b=True)


def _pairs(labels_b: Any) -> tuple[Any, Any]:
    """Return 1.0 where two different images share the identity, and where they do not.

    Raises:
        InvalidArgumentError: The batch holds no genuine pair, or no impostor pair.
    """
    equal_bb = tf.equal(labels_b[:, None], labels_b[None, :])
    same_bb = tf.cast(equal_bb, tf.float32) - tf.eye(tf.shape(labels_b)[0])
    other_bb = 1.0 - tf.cast(equal_bb, tf.float32)
    checks = [
        tf.debugging.assert_positive(tf.reduce_sum(same_bb), "a batch needs a genuine pair"),
        tf.debugging.assert_positive(tf.reduce_sum(other_bb), "a batch needs two identities"),
    ]
    with tf.control_dependencies([check for check in checks if check is not None]):
        return tf.identity(same_bb), tf.identity(other_bb)
