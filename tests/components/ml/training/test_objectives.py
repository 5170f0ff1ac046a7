"""Objectives: which loss a task gets, its own weights, and a margin that comes slowly."""

from dataclasses import replace

import numpy as np
import pytest

from components.contract.errors import UserError
from components.ml.training import losses
from components.ml.training.objectives import LABELS, supervised
from tests.components.ml.training.test_loop import LOSS

OUTPUTS = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
BATCH = {LABELS: np.array([0, 0, 1, 1, 2, 2])}


def made(task="verification", **settings):
    return supervised(task, replace(LOSS, **settings), classes=3, embedding=4, seed=0)


def test_a_task_gets_its_usual_loss_and_margin():
    embedding, classifier = made(), made("classification")
    assert (embedding.loss, embedding.margin, embedding.head_kd.shape) == (
        "cosine_softmax",
        0.1,
        (3, 4),
    )
    assert (classifier.loss, classifier.head_kd, classifier.variables) == (
        "cross_entropy", None, [],
    )  # fmt: skip
    assert made(margin=0.0).margin == 0.0


@pytest.mark.parametrize(
    ("progress", "margin"), [(0.0, 0.0), (0.15, 0.0), (0.3, 0.15), (0.45, 0.3), (1.0, 0.3)]
)
def test_the_margin_of_the_cosine_softmax_rises(progress, margin):
    objective = made(margin=0.3)
    expected = losses.cosine_softmax(
        OUTPUTS, BATCH[LABELS], objective.head_kd, scale=16.0, margin=margin
    )
    assert float(objective.on(OUTPUTS, BATCH, progress)) == pytest.approx(float(expected), rel=1e-4)


def test_balanced_classes_weigh_the_same_however_many_images_they_have():
    labels = np.array([0] * 8 + [1] * 2)  # and none of the third
    loss = replace(LOSS, class_weight="balanced")
    balanced = supervised("classification", loss, classes=3, embedding=0, seed=0, labels_n=labels)
    assert balanced.weights_k.numpy()[:2] == pytest.approx([10 / 16, 10 / 4])
    assert balanced.weights_k.numpy()[labels].mean() == pytest.approx(1)
    batch = {LABELS: np.array([0, 1])}
    each = [float(losses.cross_entropy(OUTPUTS[[i], :3], [i])) for i in (0, 1)]
    assert float(balanced.on(OUTPUTS[:2, :3], batch, 1.0)) == pytest.approx(
        (each[0] * 10 / 16 + each[1] * 10 / 4) / 2
    )
    assert balanced.weights_of(np.array([1, 0]), 3).numpy() == pytest.approx([2.5, 0.625, 1])
    plain = supervised("classification", LOSS, classes=3, embedding=0, seed=0, labels_n=labels)
    assert plain.weights_k is None


def test_identities_have_no_weights():
    with pytest.raises(UserError, match="class_weight balanced is for classification") as caught:
        made(class_weight="balanced")
    assert caught.value.fix == "leave class_weight away"
    made()


def test_contrast_is_added_for_verification_alone():
    plain, with_contrast = made(loss="triplet"), made(loss="triplet", contrast_weight=0.5)
    contrast = float(losses.supervised_contrastive(OUTPUTS, BATCH[LABELS]))
    assert float(with_contrast.on(OUTPUTS, BATCH, 1.0)) == pytest.approx(
        float(plain.on(OUTPUTS, BATCH, 1.0)) + 0.5 * contrast
    )
    assert made("classification", contrast_weight=0.5).contrast_weight == 0.0


def test_a_softmax_over_identities_has_a_head_of_its_own():
    objective = made(loss="cross_entropy", label_smoothing=0.1)
    logits = OUTPUTS @ objective.head_kd.numpy().T
    assert float(objective.on(OUTPUTS, BATCH, 1.0)) == pytest.approx(
        float(losses.cross_entropy(logits, BATCH[LABELS], label_smoothing=0.1)), rel=1e-5
    )
    assert objective.variables[0] is objective.head_kd


def test_heads_start_by_the_seed():
    def head(seed):
        return supervised("verification", LOSS, classes=3, embedding=4, seed=seed).head_kd.numpy()

    assert np.array_equal(head(0), head(0))
    assert not np.array_equal(head(0), head(1))
