"""Every loss against numbers worked out by hand, and its gradient against finite differences."""

import math

import numpy as np
import pytest

from components.ml.runtime import tf
from components.ml.training import losses

# Unit vectors in the plane: angles of 0, 60, 90 and 180 degrees; cosines are easy to read off.
EAST, SIXTY, NORTH, WEST = (1.0, 0.0), (0.5, math.sqrt(0.75)), (0.0, 1.0), (-1.0, 0.0)


def value(loss, *arguments, **options):
    return float(loss(*[tf.constant(item) for item in arguments], **options))


def test_contrastive_by_hand():
    # Genuine: east-sixty, (1 - 0.5)^2. Impostors: east-west, cosine -1, and sixty-west, -0.5:
    # both below 1 - 2 * 0.5 = 0, so nothing.
    assert value(losses.contrastive, [EAST, SIXTY, WEST], [0, 0, 1]) == pytest.approx(0.125)
    # With a margin of 1, all are driven to opposite: (-1 + 1)^2 and (-0.5 + 1)^2 = 0.25, mean .125.
    assert value(losses.contrastive, [EAST, SIXTY, WEST], [0, 0, 1], margin=1.0) == pytest.approx(
        (0.25 + 0.125) / 2
    )


def test_triplet_by_hand():
    # Squared distances: east-sixty 1, east-north 2, sixty-north 2 - 2 cos 30.
    near = 2 - math.sqrt(3)
    embeddings, labels = [EAST, SIXTY, NORTH], [0, 0, 1]
    # Anchor east: the impostor at 2 is farther than 1: 1 - 2 + 0.2 < 0. Anchor sixty: no impostor
    # is farther than 1, so the farthest, at 0.27: 1 - 0.27 + 0.2.
    assert value(losses.triplet, embeddings, labels) == pytest.approx(
        (1 - near + 0.2) / 2, abs=1e-6
    )


def test_the_semi_hard_impostor_is_the_nearest_one_that_is_farther():
    # Anchor east, positive sixty (1). Impostors at 2 - 2 cos 30 = 0.27 (harder, so not it),
    # at 90 degrees (2, semi-hard) and at 180 (4): 1 - 2 + 1.5 counts.
    thirty = (math.sqrt(0.75), 0.5)
    embeddings, labels = [EAST, SIXTY, thirty, NORTH, WEST], [0, 0, 1, 2, 3]
    east = 1 - 2 + 1.5
    # Anchor sixty, positive east (1): thirty and north at 0.27, west at 3: 1 - 3 + 1.5 < 0.
    assert value(losses.triplet, embeddings, labels, margin=1.5) == pytest.approx(
        east / 2, abs=1e-6
    )


def test_cosine_softmax_by_hand():
    # Cosines of east to the prototypes: 1 and 0; scale 2, margin 0.5: logits 1 and 0.
    expected = math.log(1 + math.exp(-1))
    given = ([(3.0, 0.0)], [0], [(2.0, 0.0), (0.0, 7.0)])
    assert value(losses.cosine_softmax, *given, scale=2.0, margin=0.5) == pytest.approx(expected)
    smoothed = 0.75 * expected + 0.25 * (1 + expected)
    assert value(
        losses.cosine_softmax, *given, scale=2.0, margin=0.5, label_smoothing=0.5
    ) == pytest.approx(smoothed)


def test_cross_entropy_by_hand():
    logits = [[math.log(1.0), math.log(3.0)], [0.0, 0.0]]
    assert value(losses.cross_entropy, logits, [1, 0]) == pytest.approx(
        (math.log(4 / 3) + math.log(2)) / 2
    )


def test_weighted_images_count_by_their_weight():
    logits, labels, weights = [[1.0, 0.0], [0.0, 3.0]], [1, 0], [0.5, 1.5]
    each = [
        value(losses.cross_entropy, [row], [label])
        for row, label in zip(logits, labels, strict=False)
    ]
    assert value(losses.cross_entropy, logits, labels, weights_b=weights) == pytest.approx(
        (0.5 * each[0] + 1.5 * each[1]) / 2
    )
    teacher = [[0.0, 1.0], [2.0, 0.0]]
    each = [
        value(losses.soft_labels, [a], [b], temperature=2.0)
        for a, b in zip(logits, teacher, strict=False)
    ]
    assert value(
        losses.soft_labels, logits, teacher, temperature=2.0, weights_b=weights
    ) == pytest.approx((0.5 * each[0] + 1.5 * each[1]) / 2)


def test_supervised_contrastive_by_hand():
    # East and east again are one person, north and west others; temperature 1.
    # East sees cosines 1 (own), 0, -1; north sees 0, 0, 0 and has no other picture of itself.
    embeddings, labels = [EAST, EAST, NORTH, WEST], [0, 0, 1, 2]
    own = -math.log(math.e / (math.e + 1 + 1 / math.e))
    assert value(
        losses.supervised_contrastive, embeddings, labels, temperature=1.0
    ) == pytest.approx(2 * own / 4, abs=1e-6)


def test_soft_labels_by_hand():
    # At temperature 2 the teacher says 3 : 1 and the student 1 : 1.
    teacher, student = [[2 * math.log(3.0), 0.0]], [[0.0, 0.0]]
    divergence = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    assert value(losses.soft_labels, student, teacher, temperature=2.0) == pytest.approx(
        4 * divergence
    )
    assert value(losses.soft_labels, teacher, teacher, temperature=2.0) == pytest.approx(0)


def test_logarithms_of_probabilities_serve_as_a_teachers_logits():
    logits = np.array([[1.0, -2.0, 0.5]], np.float32)
    shares = np.exp(logits) / np.exp(logits).sum()
    student = np.zeros((1, 3), np.float32)
    assert value(losses.soft_labels, student, np.log(shares), temperature=3.0) == pytest.approx(
        value(losses.soft_labels, student, logits, temperature=3.0), rel=1e-5
    )


def test_soft_scores_by_hand():
    # At temperature 2 the teacher says 3 : 1 of the first class and 1 : 1 of the second.
    teacher, student = [[2 * math.log(3.0), 0.0]], [[0.0, 0.0]]
    divergence = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    assert value(losses.soft_scores, student, teacher, temperature=2.0) == pytest.approx(
        4 * divergence
    )
    assert value(losses.soft_scores, teacher, teacher, temperature=2.0) == pytest.approx(0)


def test_a_sigmoid_is_undone_where_it_can_be():
    logits = np.array([[-3.0, 0.0, 2.5, 90.0]], np.float32)
    undone = losses.logits_of_sigmoid(1 / (1 + np.exp(-logits))).numpy()
    np.testing.assert_allclose(undone[:, :3], logits[:, :3], atol=1e-4)
    assert 13 < undone[0, 3] < 15


def test_embedding_matching_by_hand():
    assert value(losses.embedding_matching, [EAST, SIXTY], [(9.0, 0.0), EAST]) == pytest.approx(
        0.25
    )


def test_relational_matching_by_hand():
    # Distances: student 1 (sixty degrees), sqrt 2 and 2 sin 15; teacher all at 120 degrees, so
    # all 1 after the common scale.
    student = [EAST, SIXTY, NORTH]
    angles = [0, 2 * math.pi / 3, 4 * math.pi / 3]
    teacher = [(math.cos(angle), math.sin(angle), 0.0) for angle in angles]
    distances = np.array([1.0, math.sqrt(2), 2 * math.sin(math.pi / 12)])
    errors = distances / distances.mean() - 1
    assert value(losses.relational_matching, student, teacher) == pytest.approx(
        float((errors**2 / 2).mean()), abs=1e-4
    )
    assert value(losses.relational_matching, teacher, teacher) == pytest.approx(0, abs=1e-6)


def test_similarity_matching_is_the_squared_difference_of_cosines():
    student = [EAST, SIXTY, NORTH]  # cosines 1/2, 0 and sqrt(3)/2
    teacher = [(2.0, 0.0), (3.0, 0.0), (0.0, 1.0)]  # cosines 1, 0 and 0, in two numbers
    expected = 2 * (0.5**2 + 0.0 + 0.75) / 9
    assert value(losses.similarity_matching, student, teacher) == pytest.approx(expected, abs=1e-6)
    assert value(losses.similarity_matching, teacher, teacher) == pytest.approx(0, abs=1e-6)


def test_distribution_matching_by_hand():
    student, teacher = [EAST, SIXTY, NORTH], [EAST, NORTH, WEST]
    temperature, expected = 0.5, 0.0
    for image in range(3):
        others = [other for other in range(3) if other != image]
        shares = []
        for vectors in (teacher, student):
            angles = [math.atan2(y, x) for x, y in vectors]
            near = np.exp([math.cos(angles[image] - angles[o]) / temperature for o in others])
            shares.append(near / near.sum())
        expected += float((shares[0] * np.log(shares[0] / shares[1])).sum()) / 3
    found = value(losses.distribution_matching, student, teacher, temperature)
    assert found == pytest.approx(expected, abs=1e-5)
    assert value(losses.distribution_matching, teacher, teacher, 0.1) == pytest.approx(0, abs=1e-6)


LABELS = [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize(
    "loss",
    [
        lambda e: losses.contrastive(e, tf.constant(LABELS)),
        lambda e: losses.triplet(e, tf.constant(LABELS), margin=1.0),
        lambda e: losses.cosine_softmax(e, tf.constant(LABELS), OTHER, scale=4.0),
        lambda e: losses.cross_entropy(e, tf.constant(LABELS), label_smoothing=0.1),
        lambda e: losses.supervised_contrastive(e, tf.constant(LABELS), temperature=0.5),
        lambda e: losses.soft_labels(e, OTHER, temperature=2.0),
        lambda e: losses.soft_scores(e, OTHER, temperature=2.0),
        lambda e: losses.embedding_matching(e, OTHER),
        lambda e: losses.relational_matching(e, OTHER),
        lambda e: losses.distribution_matching(e, OTHER, temperature=0.5),
    ],
    ids=[
        "contrastive", "triplet", "cosine_softmax", "cross_entropy", "supervised_contrastive",
        "soft_labels", "soft_scores", "embedding_matching", "relational_matching",
        "distribution_matching",
    ],
)  # fmt: skip
def test_gradients_agree_with_differences_and_lead_down(loss):
    start = np.random.default_rng(3).normal(size=(6, 3)).astype(np.float32)
    embeddings = tf.Variable(start)
    with tf.GradientTape() as tape:
        now = loss(embeddings)
    gradient = tape.gradient(now, embeddings).numpy()
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() > 1e-4
    step = 1e-2
    for place in [(0, 0), (3, 1), (5, 2)]:
        change = np.zeros_like(start)
        change[place] = step
        difference = (float(loss(start + change)) - float(loss(start - change))) / (2 * step)
        assert difference == pytest.approx(gradient[place], abs=5e-3, rel=0.05)
    assert float(loss(start - 0.05 * gradient)) < float(now)


OTHER = np.random.default_rng(4).normal(size=(6, 3)).astype(np.float32)


@pytest.mark.parametrize(
    "loss", [losses.contrastive, losses.triplet, losses.supervised_contrastive]
)
@pytest.mark.parametrize(
    ("labels", "said"),
    [([0, 0, 0], "two identities"), ([0, 1, 2], "genuine pair")],
)
def test_a_batch_without_both_kinds_of_pairs_is_an_error_also_in_a_graph(loss, labels, said):
    embeddings = tf.constant([EAST, SIXTY, NORTH])
    with pytest.raises(tf.errors.InvalidArgumentError, match=said):
        loss(embeddings, tf.constant(labels))
    with pytest.raises(tf.errors.InvalidArgumentError, match=said):
        tf.function(loss)(embeddings, tf.constant(labels))


def test_identical_images_give_finite_gradients():
    embeddings = tf.Variable([EAST, EAST, NORTH, WEST])
    labels = tf.constant([0, 0, 1, 1])
    for loss in (
        lambda: losses.contrastive(embeddings, labels),
        lambda: losses.triplet(embeddings, labels),
        lambda: losses.supervised_contrastive(embeddings, labels),
        lambda: losses.relational_matching(embeddings, tf.constant([EAST, EAST, NORTH, WEST])),
        lambda: losses.distribution_matching(embeddings, tf.constant([EAST, EAST, NORTH, WEST])),
    ):
        with tf.GradientTape() as tape:
            now = loss()
        assert np.isfinite(tape.gradient(now, embeddings).numpy()).all()
