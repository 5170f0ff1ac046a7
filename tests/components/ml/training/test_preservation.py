import numpy as np
import pytest

from components.artifacts.model import Embedding, Scores
from components.ml.settings import LossSettings


@pytest.mark.parametrize("activation", ["none", "softmax", "sigmoid"])
def test_scores_are_preserved_before_their_activation_and_labels_weigh_what_is_said(activation):
    from components.ml.runtime import tf
    from components.ml.training.objectives import LABELS, OUTPUT, TEACHER, supervised
    from components.ml.training.preservation import OutputPreservation

    logits = np.array([[2, 0, -1], [0, 1, 0]], np.float32)
    given = {"none": tf.identity, "softmax": tf.nn.softmax, "sigmoid": tf.nn.sigmoid}
    outputs = given[activation](tf.constant(logits))
    batch = {TEACHER: tf.constant(logits), LABELS: tf.constant([0, 1])}
    labels = supervised("classification", LossSettings(), classes=3, embedding=3, seed=0)
    info = Scores(("a", "b", "c"), activation)
    kept = float(OutputPreservation(info)({OUTPUT: outputs}, batch, 0.5))
    with_labels = float(OutputPreservation(info, labels, 2.0)({OUTPUT: outputs}, batch, 0.5))
    assert with_labels - kept == pytest.approx(2 * float(labels.on(logits, batch, 0.5)), rel=1e-3)
    other = float(OutputPreservation(info)({OUTPUT: given[activation](-logits)}, batch, 0.5))
    assert other > kept + 0.1


def test_embeddings_are_preserved_as_directions_and_distances():
    from components.ml.runtime import tf
    from components.ml.training.objectives import OUTPUT, TEACHER
    from components.ml.training.preservation import OutputPreservation

    before = tf.constant(np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32))
    objective = OutputPreservation(Embedding(4))
    assert objective.variables == []
    same = float(objective({OUTPUT: before}, {TEACHER: before}, 0.0))
    assert same == pytest.approx(0, abs=1e-5)
    assert float(objective({OUTPUT: before[::-1]}, {TEACHER: before}, 0.0)) > 0.1
