"""Objectives: which loss a task gets, its own weights, and a margin that comes slowly."""

from dataclasses import replace

import numpy as np
import pytest

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
    assert float(objective(OUTPUTS, BATCH, progress)) == pytest.approx(float(expected), rel=1e-4)


def test_contrast_is_added_for_verification_alone():
    plain, with_contrast = made(loss="triplet"), made(loss="triplet", contrast_weight=0.5)
    contrast = float(losses.supervised_contrastive(OUTPUTS, BATCH[LABELS]))
    assert float(with_contrast(OUTPUTS, BATCH, 1.0)) == pytest.approx(
        float(plain(OUTPUTS, BATCH, 1.0)) + 0.5 * contrast
    )
    assert made("classification", contrast_weight=0.5).contrast_weight == 0.0


def test_a_softmax_over_identities_has_a_head_of_its_own():
    objective = made(loss="cross_entropy", label_smoothing=0.1)
    logits = OUTPUTS @ objective.head_kd.numpy().T
    assert float(objective(OUTPUTS, BATCH, 1.0)) == pytest.approx(
        float(losses.cross_entropy(logits, BATCH[LABELS], label_smoothing=0.1)), rel=1e-5
    )
    assert objective.variables[0] is objective.head_kd


def test_heads_start_by_the_seed():
    def head(seed):
        return supervised("verification", LOSS, classes=3, embedding=4, seed=seed).head_kd.numpy()

    assert np.array_equal(head(0), head(0))
    assert not np.array_equal(head(0), head(1))
