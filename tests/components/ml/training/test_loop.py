"""The loop: it learns, keeps the best, stops, averages, and is the same for the same seed."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from components.artifacts.dataset import Dataset, write_dataset
from components.contract.errors import UserError
from components.contract.progress import parsed, telling
from components.ml.networks.building import build, info_of
from components.ml.runtime import configure
from components.ml.settings import Augmentation, LossSettings, Network, Optimization
from components.ml.training import loop
from components.ml.training.examples import DRAWS, IMAGES, Examples, TeacherOutputs, examples_of
from components.ml.training.objectives import LABELS, TEACHER, supervised
from components.ml.training.outputs import outputs_of
from components.ml.training.scratch_arrays import HalfAnswers
from components.ml.training.validation import Validation
from tests.data import patterns

OPTIMIZATION = Optimization(
    epochs=4, identities_per_batch=4, images_per_identity=4, learning_rate=1e-2,
    weight_decay=0.01, warmup=0.2,
)  # fmt: skip
LOSS = LossSettings(contrast_weight=0.0)
NETWORK = Network(backbone="conv", alpha=0.25)
LIGHT = Augmentation()


def fitted(path, optimization=OPTIMIZATION, loss=LOSS, network=NETWORK, changes=LIGHT, seed=0):
    """Train a small network; return its weights, history and validation metric."""
    configure(2, seed)
    data = Dataset.open(path)
    info = info_of(data, 8, 127.5, 127.5)
    examples = examples_of(data)
    model = build(network, info)
    objective = supervised(info.task, loss, classes=examples.classes, embedding=8, seed=seed)
    validation = Validation(data, info.task)
    history = loop.fit(model, info, examples, objective, validation, optimization, changes, seed)
    return model.get_weights(), history, validation.measure(outputs_of(model, info))


@pytest.mark.parametrize("loss", ["cosine_softmax", "cross_entropy", "contrastive", "triplet"])
def test_every_loss_of_verification_learns(loss, pattern_pairs):
    _, history, score = fitted(
        pattern_pairs, replace(OPTIMIZATION, epochs=6), LossSettings(loss=loss, contrast_weight=0.5)
    )
    assert score > 0.95
    assert history.metric == "auc"
    assert history.epochs[-1].loss < history.epochs[0].loss


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_classification_learns(optimizer, pattern_data):
    rate = 0.1 if optimizer == "sgd" else 0.02
    optimization = replace(OPTIMIZATION, epochs=8, optimizer=optimizer, learning_rate=rate)
    _, history, score = fitted(pattern_data, optimization, replace(LOSS, label_smoothing=0.05))
    assert score > 0.9
    assert history.metric == "accuracy"


def test_equal_seeds_give_equal_weights_and_others_do_not(pattern_pairs):
    given = {
        "optimization": replace(OPTIMIZATION, epochs=2, averaging=0.9),
        "network": replace(NETWORK, dropout=0.3),
        "changes": Augmentation(augment="strong", flip=True),
    }
    one, _, _ = fitted(pattern_pairs, **given)
    same, _, _ = fitted(pattern_pairs, **given)
    other, _, _ = fitted(pattern_pairs, **given, seed=1)
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_the_best_epoch_is_kept_and_measured_as_reported(pattern_pairs):
    _, history, score = fitted(pattern_pairs, replace(OPTIMIZATION, epochs=5))
    scores = [epoch.validation for epoch in history.epochs]
    assert history.kept.validation == max(scores)
    assert history.kept.number == max(
        epoch.number for epoch in history.epochs if epoch.validation == max(scores)
    )
    assert score == pytest.approx(max(scores), abs=1e-9)


class Scripted:
    """A validation split that says what a test wants it to say."""

    metric = "auc"

    def __init__(self, *scores):
        self.scores = list(scores)
        self.seen = []

    def measure(self, outputs):
        self.seen.append(outputs(np.zeros((1, 8, 8, 1), np.uint8)))
        return self.scores.pop(0)


def scripted(path, optimization, *scores):
    configure(2, 0)
    data = Dataset.open(path)
    info, examples = info_of(data, 8, 127.5, 127.5), examples_of(data)
    model = build(NETWORK, info)
    objective = supervised(info.task, LOSS, classes=4, embedding=8, seed=0)
    validation = Scripted(*scores)
    history = loop.fit(model, info, examples, objective, validation, optimization, LIGHT, 0)
    now = outputs_of(model, info)(np.zeros((1, 8, 8, 1), np.uint8))
    return history, validation, now


def test_training_stops_when_patience_ends_and_keeps_the_weights_of_then(pattern_pairs):
    optimization = replace(OPTIMIZATION, epochs=9, patience=2)
    history, validation, now = scripted(pattern_pairs, optimization, 0.5, 0.9, 0.8, 0.7, 0.6)
    assert [epoch.number for epoch in history.epochs] == [1, 2, 3, 4]
    assert history.kept.number == 2
    np.testing.assert_array_equal(now, validation.seen[1])
    assert not np.array_equal(now, validation.seen[3])


def test_without_patience_all_epochs_are_run(pattern_pairs, tmp_path):
    with telling(tmp_path / "progress"):
        history, validation, now = scripted(
            pattern_pairs, replace(OPTIMIZATION, epochs=3), 0.9, 0.1, 0.9
        )
    lines = (tmp_path / "progress").read_bytes().splitlines()
    first, last = parsed(lines[0]), parsed(lines[-1])
    assert first
    assert last
    assert (first.epoch, first.total) == (0, 3)
    assert (last.epoch, last.total, last.value) == (3, 3, 0.9)
    assert last.metric == validation.metric
    assert last.loss == pytest.approx(history.epochs[-1].loss)
    assert len(history.epochs) == 3
    assert history.kept.number == 3  # the last of equal ones
    np.testing.assert_array_equal(now, validation.seen[2])


def test_the_last_epoch_is_kept_where_that_is_asked_for(pattern_pairs):
    optimization = replace(OPTIMIZATION, epochs=9, patience=2, keep="last")
    history, validation, now = scripted(pattern_pairs, optimization, 0.5, 0.9, 0.8, 0.7, 0.6)
    assert history.kept == history.epochs[-1]
    assert history.kept.number == 4
    np.testing.assert_array_equal(now, validation.seen[3])


def test_averaged_weights_are_what_is_measured_and_kept(pattern_pairs):
    plain, _, _ = fitted(pattern_pairs, replace(OPTIMIZATION, epochs=2))
    averaged, history, score = fitted(pattern_pairs, replace(OPTIMIZATION, epochs=2, averaging=0.5))
    assert not all(np.array_equal(a, b) for a, b in zip(plain, averaged, strict=True))
    assert score == pytest.approx(history.kept.validation, abs=1e-9)


def test_a_learning_rate_at_which_training_comes_apart_is_said(pattern_data):
    optimization = replace(
        OPTIMIZATION, optimizer="sgd", learning_rate=1e30, warmup=0.0, clip_norm=0.0
    )
    with pytest.raises(UserError, match=r"came apart.*\n.*learning_rate below 1e\+30"):
        fitted(pattern_data, optimization)


def test_the_history_is_plain_json(pattern_pairs):
    _, history, _ = fitted(pattern_pairs, replace(OPTIMIZATION, epochs=1))
    content = json.loads(json.dumps(history.to_json()))
    assert content["kept"] == content["epochs"][0]
    assert set(content["kept"]) == {"number", "loss", "learning_rate", "validation"}


def examples(compared, teacher=None):
    images, labels = patterns.images_of(40, 0)
    return Examples(images, labels, 4, compared, teacher)


def epoch(shown, number, optimization=OPTIMIZATION, seed=0):
    return shown.epoch(number, optimization, flip=False, seed=seed)


def test_an_epoch_shows_about_all_images_with_their_labels():
    nine = replace(OPTIMIZATION, batch=9)
    shown = list(epoch(examples(compared=False), 1, nine))
    assert len(shown) == examples(compared=False).steps(nine) == 4
    images, labels = patterns.images_of(40, 0)
    for batch in shown:
        for image, label in zip(batch[IMAGES], batch[LABELS], strict=True):
            (index,) = np.flatnonzero((images == image).all(axis=(1, 2, 3)))
            assert labels[index] == label
    pairs = list(epoch(examples(compared=True), 1))
    assert [batch[IMAGES].shape for batch in pairs] == [(16, 8, 8, 1)] * 2
    assert sorted(np.unique(pairs[0][LABELS], return_counts=True)[1]) == [4, 4, 4, 4]


def test_epochs_differ_and_are_drawn_by_the_seed():
    def first(number, seed=0):
        return next(iter(epoch(examples(compared=True), number, seed=seed)))

    assert np.array_equal(first(1)[DRAWS], first(1)[DRAWS])
    for other in (first(2), first(1, seed=1)):
        assert not np.array_equal(first(1)[IMAGES], other[IMAGES])
        assert not np.array_equal(first(1)[DRAWS], other[DRAWS])


def test_a_teachers_answer_goes_with_the_view_that_it_saw():
    random = np.random.default_rng(0)
    draws = random.random((3, 40, 18), dtype=np.float32)
    answers = HalfAnswers((3, 40, 2))
    for view in range(3):
        answers[view] = draws[view, :, :2]
    teacher = TeacherOutputs(draws, {TEACHER: answers})
    for compared in (True, False):
        seen = set()
        for number in range(3):
            for batch in epoch(examples(compared, teacher), number):
                np.testing.assert_allclose(batch[TEACHER], batch[DRAWS][:, :2], atol=2**-11)
                views = [np.flatnonzero((draws == row).all(-1).any(1)) for row in batch[DRAWS]]
                seen.update(int(view[0]) for view in views)
        assert seen == {0, 1, 2}


def tiny(path: Path, labels, task="verification", classes=("a", "b", "c")):
    labels = np.array(labels, np.int32)
    images = np.random.default_rng(0).integers(0, 256, (len(labels), 8, 8, 1)).astype(np.uint8)
    good = np.array([0, 0, 1, 1], np.int32)
    return write_dataset(
        path,
        {"train": (images, labels), "validation": (images[:1].repeat(4, 0), good)},
        task=task,
        classes=classes,
    )


def test_data_with_nothing_to_tell_apart_is_said(tmp_path):
    with pytest.raises(UserError, match="of one identity, 'b'"):
        examples_of(tiny(tmp_path / "one", [1, 1, 1]))
    with pytest.raises(UserError, match="second training image"):
        examples_of(tiny(tmp_path / "single", [0, 1, 2]))
    with pytest.raises(UserError, match="of one class, 'c'"):
        examples_of(tiny(tmp_path / "class", [2, 2], task="classification"))


def test_identities_that_are_not_in_training_take_no_place(tmp_path):
    found = examples_of(tiny(tmp_path / "some", [2, 2, 0, 0]))
    assert (found.classes, found.labels_n.tolist()) == (2, [1, 1, 0, 0])
    found = examples_of(tiny(tmp_path / "all", [2, 2, 0, 0], task="classification"))
    assert (found.classes, found.labels_n.tolist()) == (3, [2, 2, 0, 0])


def test_a_validation_split_without_pairs_is_said(tmp_path):
    path = tmp_path / "data"
    images = np.zeros((4, 8, 8, 1), np.uint8)
    write_dataset(
        path,
        {
            "train": (images, np.array([0, 0, 1, 1])),
            "validation": (images[:2], np.array([0, 1])),
        },
        task="verification",
        classes=("a", "b"),
    )
    with pytest.raises(UserError, match="no two of the same"):
        Validation(Dataset.open(path), "verification")


def test_a_network_that_answers_nan_scores_nothing(pattern_pairs):
    validation = Validation(Dataset.open(pattern_pairs), "verification")
    assert validation.measure(lambda images: np.full((len(images), 2), np.nan)) == 0.0


@pytest.mark.parametrize("task", ["verification", "classification"])
def test_a_large_validation_split_is_thinned_and_keeps_its_pairs(task, tmp_path):
    labels = np.repeat(np.arange(100), 20).astype(np.int32)
    images = np.zeros((2000, 4, 4, 1), np.uint8)
    write_dataset(
        tmp_path / "data",
        {"train": (images, labels), "validation": (images, labels)},
        task=task,
        classes=[f"{index:03d}" for index in range(100)],
    )
    seen = []

    def outputs(images):
        seen.append(len(images))
        return np.random.default_rng(0).normal(size=(len(images), 100))

    assert 0 <= Validation(Dataset.open(tmp_path / "data"), task).measure(outputs) <= 1
    assert seen == [600]


def test_a_loss_that_compares_images_is_no_loss_of_a_classifier():
    with pytest.raises(UserError, match="compares images"):
        supervised("classification", LossSettings(loss="triplet"), classes=3, embedding=3, seed=0)
