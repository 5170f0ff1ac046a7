"""Distillation: the teacher's answers are learned, whatever kind of Model it is."""

import json
from dataclasses import replace

import numpy as np
import pytest

from components.dataset import Dataset
from components.errors import UserError
from components.ml import distillation, losses, saved
from components.ml.objectives import LABELS, TEACHER, supervised
from components.ml.runtime import configure, tf
from components.ml.teaching import examples_of
from components.model_card import ModelCard
from components.recipe import Tower, Transfer
from tests.components.ml.test_training import RECIPE, TARGET, tiny

TOWER = Tower("conv", 0.25, 0.0, 0.9)
TRANSFER = Transfer(
    temperature=4.0, soft_weight=0.7, embedding_weight=1.0, relational_weight=1.0,
    label_weight=1.0, views=2,
)  # fmt: skip
OUTPUTS, TEACHERS = (
    np.random.default_rng(seed).normal(size=(4, 3)).astype(np.float32) for seed in (0, 1)
)
BATCH = {LABELS: np.array([0, 0, 1, 1]), TEACHER: TEACHERS}


def objective(task, transfer=TRANSFER, projection=None):
    labels = supervised(
        task, replace(TARGET, loss="contrastive" if task == "verification" else None),
        classes=3, embedding=3, seed=0,
    )  # fmt: skip
    return distillation.Distilled(task == "classification", labels, transfer, projection)


def test_classification_weighs_soft_and_hard_labels():
    hard = float(losses.cross_entropy(OUTPUTS, BATCH[LABELS]))
    soft = float(losses.soft_labels(OUTPUTS, TEACHERS, 4.0))
    assert float(objective("classification")(OUTPUTS, BATCH, 0.5)) == pytest.approx(
        0.7 * soft + 0.3 * hard
    )


def test_verification_weighs_labels_embeddings_and_relations():
    hard = float(losses.contrastive(OUTPUTS, BATCH[LABELS]))
    matching = float(losses.embedding_matching(OUTPUTS, TEACHERS))
    relations = float(losses.relational_matching(OUTPUTS, TEACHERS))
    transfer = replace(TRANSFER, label_weight=2.0, embedding_weight=3.0, relational_weight=5.0)
    assert float(objective("verification", transfer)(OUTPUTS, BATCH, 0.5)) == pytest.approx(
        2 * hard + 3 * matching + 5 * relations
    )
    alone = replace(TRANSFER, label_weight=0.0, embedding_weight=0.0, relational_weight=1.0)
    assert float(objective("verification", alone)(OUTPUTS, BATCH, 0.5)) == pytest.approx(relations)


def test_another_size_is_matched_through_a_projection_that_is_learned():
    projection = tf.Variable(np.eye(3, 5, dtype=np.float32))
    teacher = np.pad(TEACHERS, [[0, 0], [0, 2]])
    made = objective("verification", projection=projection)
    assert made.variables[-1] is projection
    only = replace(TRANSFER, label_weight=0.0, relational_weight=0.0)
    loss = objective("verification", only, projection)(OUTPUTS, {**BATCH, TEACHER: teacher}, 0.5)
    assert float(loss) == pytest.approx(float(losses.embedding_matching(OUTPUTS, TEACHERS)))


def distilled(data, teacher, folder, recipe=RECIPE, transfer=TRANSFER, embedding=None):
    configure(2, recipe.seed)
    distillation.distill(
        data, teacher, folder / "model", folder / "report",
        tower=TOWER, embedding=embedding, target=replace(TARGET, contrast_weight=0.5),
        transfer=transfer, recipe=recipe,
    )  # fmt: skip
    return folder / "model", json.loads((folder / "report" / "training.json").read_bytes())


def selection(data):
    images = np.asarray(Dataset.open(data).images("selection"))
    return images, Dataset.open(data).labels("selection")


def cosines(model, data):
    outputs = saved.inference(model)(saved.normalize(selection(data)[0], ModelCard.read(model)))
    unit = outputs / np.linalg.norm(outputs, axis=1, keepdims=True)
    return unit @ unit.T


def test_a_student_sees_images_as_its_teacher_does(pattern_pairs, pattern_tower, tmp_path):
    """Without labels it learns the teacher's cosines, and more of them than it was born with."""
    transfer = replace(TRANSFER, label_weight=0.0, relational_weight=3.0)
    recipe = replace(RECIPE, epochs=8)
    student, report = distilled(pattern_pairs, pattern_tower, tmp_path, recipe, transfer)
    card, teacher = ModelCard.read(student), ModelCard.read(pattern_tower)
    assert card.output == teacher.output
    assert [step["component"] for step in card.steps] == ["train", "distill"]
    assert card.parameters < 10_000
    wanted, got = cosines(pattern_tower, pattern_pairs), cosines(student, pattern_pairs)
    assert np.corrcoef(wanted.ravel(), got.ravel())[0, 1] > 0.9
    assert report["component"] == "distill"
    assert 0.9 < report["teacher"]["validation"] <= 1
    assert report["metric"] == "auc"


def test_a_student_may_have_an_embedding_of_another_size(pattern_pairs, pattern_tower, tmp_path):
    recipe = replace(RECIPE, epochs=3)
    student, report = distilled(pattern_pairs, pattern_tower, tmp_path, recipe, embedding=5)
    assert ModelCard.read(student).output.size == 5
    assert report["kept"]["validation"] > 0.9


def test_a_classifier_learns_from_soft_labels_alone(pattern_data, pattern_classifier, tmp_path):
    transfer = replace(TRANSFER, soft_weight=1.0)
    recipe = replace(RECIPE, epochs=10, learning_rate=0.02)
    student, report = distilled(pattern_data, pattern_classifier, tmp_path, recipe, transfer)
    assert report["kept"]["validation"] > 0.9
    card = ModelCard.read(student)
    assert (card.output.classes, card.output.activation) == (
        ModelCard.read(pattern_classifier).output.classes, "none",
    )  # fmt: skip


def test_a_teachers_probabilities_are_taken_as_their_logarithms(pattern_data, pattern_classifier):
    examples = examples_of(Dataset.open(pattern_data))
    card = ModelCard.read(pattern_classifier)
    recipe = replace(RECIPE, augment="none")
    known = distillation.taught(examples, pattern_classifier, card, views=3, recipe=recipe).taught
    assert known.outputs_vnt.shape == (1, 160, 4)  # nothing changes: one view is all there is
    shares = saved.inference(pattern_classifier)(saved.normalize(examples.images_nhwc, card))
    np.testing.assert_allclose(np.exp(known.outputs_vnt[0]), shares, atol=1e-5)


def test_a_program_teaches_too_and_the_same(pattern_pairs, pattern_tower, tmp_path):
    program = tmp_path / "program"
    model, card = saved.load(pattern_tower)
    saved.export(program, lambda image: model(image, training=False), model.weights, card)
    replace(card, trainable=False).write(program)
    recipe = replace(RECIPE, epochs=1)
    one, _ = distilled(pattern_pairs, pattern_tower, tmp_path / "a", recipe)
    other, _ = distilled(pattern_pairs, program, tmp_path / "b", recipe)
    np.testing.assert_allclose(
        cosines(one, pattern_pairs), cosines(other, pattern_pairs), atol=1e-3
    )


def test_the_student_takes_over_the_normalization(pattern_pairs, pattern_tower, tmp_path):
    model, card = saved.load(pattern_tower)
    other = tmp_path / "teacher"
    saved.save(other, model, replace(card, input=replace(card.input, mean=10.0, scale=99.0)))
    student, _ = distilled(pattern_pairs, other, tmp_path, replace(RECIPE, epochs=1))
    assert ModelCard.read(student).input.mean == 10.0
    assert ModelCard.read(student).input.scale == 99.0


def test_a_teacher_that_does_not_fit_is_said(
    pattern_pairs, pattern_data, pattern_tower, pattern_classifier, tmp_path
):
    def message(data, teacher):
        with pytest.raises(UserError) as caught:
            distilled(data, teacher, tmp_path / "never")
        assert not (tmp_path / "never" / "model").exists()
        return str(caught.value)

    assert "for verification and the dataset for classification" in message(
        pattern_data, pattern_tower
    )
    larger = tmp_path / "larger"
    _, card = saved.load(pattern_tower)
    replace(card, input=replace(card.input, height=16)).write(larger)
    assert "(16, 8, 1)" in message(pattern_pairs, larger)
    others = tiny(tmp_path / "others", [0, 0, 1, 1], task="classification").path
    assert "knows the classes bars, checks" in message(others, pattern_classifier)
