"""Distillation: the teacher's answers are learned, whatever kind of Model it is."""

import json
from dataclasses import replace

import numpy as np
import pytest

from components.artifacts.dataset import Dataset, write_dataset
from components.artifacts.model import ModelInfo
from components.contract.errors import UserError
from components.ml.formats import model_folder
from components.ml.runtime import configure, tf
from components.ml.settings import Augmentation, LossSettings, TeacherViews
from components.ml.techniques import distillation
from components.ml.techniques.distillation_settings import DistillationSettings
from components.ml.training import losses
from components.ml.training.folder_outputs import outputs_of_folder
from components.ml.training.objectives import FEATURES, LABELS, OUTPUT, TEACHER, supervised
from components.ml.training.validation import Validation
from tests.components.ml.training.test_loop import NETWORK, OPTIMIZATION, tiny
from tests.data import patterns

SETTINGS = DistillationSettings()
VIEWS = TeacherViews(views=2)
OUTPUTS, TEACHERS = (
    np.random.default_rng(seed).normal(size=(4, 3)).astype(np.float32) for seed in (0, 1)
)
ANSWERED = {OUTPUT: OUTPUTS, FEATURES: {}}
BATCH = {LABELS: np.array([0, 0, 1, 1]), TEACHER: TEACHERS}


def objective(task, settings=SETTINGS, projection=None):
    labels = supervised(
        task,
        LossSettings(loss="contrastive" if task == "verification" else None, contrast_weight=0.0),
        classes=3,
        embedding=3,
        seed=0,
    )
    return distillation.DistillationObjective(
        task == "classification", labels, settings.of(task), projection
    )


def test_classification_weighs_soft_and_hard_labels():
    hard = float(losses.cross_entropy(OUTPUTS, BATCH[LABELS]))
    soft = float(losses.soft_labels(OUTPUTS, TEACHERS, 4.0))
    assert float(objective("classification")(ANSWERED, BATCH, 0.5)) == pytest.approx(
        0.7 * soft + 0.3 * hard
    )


def test_verification_weighs_labels_embeddings_and_relations():
    hard = float(losses.contrastive(OUTPUTS, BATCH[LABELS]))
    matching = float(losses.embedding_matching(OUTPUTS, TEACHERS))
    relations = float(losses.relational_matching(OUTPUTS, TEACHERS))
    cosines = float(losses.similarity_matching(OUTPUTS, TEACHERS))
    settings = replace(
        SETTINGS, label_weight=2.0, embedding_weight=3.0, relational_weight=5.0,
        similarity_weight=7.0,
    )  # fmt: skip
    assert float(objective("verification", settings)(ANSWERED, BATCH, 0.5)) == pytest.approx(
        2 * hard + 3 * matching + 5 * relations + 7 * cosines
    )
    alone = replace(SETTINGS, label_weight=0.0, embedding_weight=0.0, relational_weight=1.0)
    assert float(objective("verification", alone)(ANSWERED, BATCH, 0.5)) == pytest.approx(relations)


def test_another_size_is_matched_through_a_projection_that_is_learned():
    projection = tf.Variable(np.eye(3, 5, dtype=np.float32))
    teacher = np.pad(TEACHERS, [[0, 0], [0, 2]])
    made = objective("verification", projection=projection)
    assert made.variables[-1] is projection
    only = replace(SETTINGS, label_weight=0.0, relational_weight=0.0)
    loss = objective("verification", only, projection)(ANSWERED, {**BATCH, TEACHER: teacher}, 0.5)
    assert float(loss) == pytest.approx(float(losses.embedding_matching(OUTPUTS, TEACHERS)))


def distilled(
    data, teacher, folder, optimization=OPTIMIZATION, settings=SETTINGS, embedding=None,
    teacher_views=VIEWS,
):  # fmt: skip
    configure(2, 0)
    distillation.train_student(
        data, teacher, folder / "model", folder / "report",
        network=NETWORK, embedding=embedding, settings=settings, teacher_views=teacher_views,
        loss=LossSettings(contrast_weight=0.5), augmentation=Augmentation(),
        optimization=optimization, seed=0,
    )  # fmt: skip
    return folder / "model", json.loads((folder / "report" / "training.json").read_bytes())


def selection(data):
    images = np.asarray(Dataset.open(data).images("selection"))
    return images, Dataset.open(data).labels("selection")


def unit_outputs(model, images):
    outputs = model_folder.inference(model)(model_folder.normalize(images, ModelInfo.read(model)))
    return outputs / np.linalg.norm(outputs, axis=1, keepdims=True)


def cosines(model, data):
    unit = unit_outputs(model, selection(data)[0])
    return unit @ unit.T


def test_a_student_sees_images_as_its_teacher_does(pattern_pairs, pattern_verifier, tmp_path):
    """Without labels it learns the teacher's cosines, and more of them than it was born with."""
    settings = replace(SETTINGS, label_weight=0.0, relational_weight=3.0)
    optimization = replace(OPTIMIZATION, epochs=8)
    student, report = distilled(pattern_pairs, pattern_verifier, tmp_path, optimization, settings)
    info, teacher = ModelInfo.read(student), ModelInfo.read(pattern_verifier)
    assert info.output == teacher.output
    assert [step["component"] for step in info.steps] == ["train", "distill"]
    assert info.parameters < 10_000
    wanted, got = cosines(pattern_verifier, pattern_pairs), cosines(student, pattern_pairs)
    assert np.corrcoef(wanted.ravel(), got.ravel())[0, 1] > 0.9
    assert report["component"] == "distill"
    assert 0.9 < report["teacher"]["validation"] <= 1
    assert report["metric"] == "auc"


def test_a_student_may_have_an_embedding_of_another_size(pattern_pairs, pattern_verifier, tmp_path):
    optimization = replace(OPTIMIZATION, epochs=3)
    student, report = distilled(
        pattern_pairs, pattern_verifier, tmp_path, optimization, embedding=5
    )
    assert ModelInfo.read(student).output.size == 5
    assert report["kept"]["validation"] > 0.9


def test_a_classifier_learns_from_soft_labels_alone(pattern_data, pattern_classifier, tmp_path):
    settings = replace(SETTINGS, soft_weight=1.0)
    optimization = replace(OPTIMIZATION, epochs=10, learning_rate=0.02)
    student, report = distilled(pattern_data, pattern_classifier, tmp_path, optimization, settings)
    assert report["kept"]["validation"] > 0.9
    info = ModelInfo.read(student)
    assert (info.output.classes, info.output.activation) == (
        ModelInfo.read(pattern_classifier).output.classes, "none",
    )  # fmt: skip


def test_a_student_of_a_few_images_follows_further_on_mixed_ones(pattern_verifier, tmp_path):
    """On twelve images it learns these by heart, unless it is also shown what is between them."""
    images, labels = patterns.images_of(40, 5)
    few = write_dataset(
        tmp_path / "few",
        {"train": (images[:12], labels[:12]), "validation": (images[12:], labels[12:])},
        task="verification",
        classes=("a", "b", "c", "d"),
    ).path
    wanted = unit_outputs(pattern_verifier, images[12:])

    def followed(mixup):
        settings = replace(SETTINGS, label_weight=0.0, similarity_weight=10.0)
        optimization = replace(OPTIMIZATION, epochs=60, keep="last")
        student, _ = distilled(
            few, pattern_verifier, tmp_path / str(mixup), optimization, settings,
            teacher_views=TeacherViews(views=8, mixup=mixup),
        )  # fmt: skip
        got = unit_outputs(student, images[12:])
        return np.corrcoef((wanted @ wanted.T).ravel(), (got @ got.T).ravel())[0, 1]

    assert followed(32) > followed(0)


def test_a_program_teaches_too_and_the_same(pattern_pairs, pattern_verifier, tmp_path):
    program = tmp_path / "program"
    model, info = model_folder.load(pattern_verifier)
    model_folder.export(program, lambda image: model(image, training=False), model.weights, info)
    replace(info, trainable=False).write(program)
    optimization = replace(OPTIMIZATION, epochs=1)
    one, _ = distilled(pattern_pairs, pattern_verifier, tmp_path / "a", optimization)
    other, _ = distilled(pattern_pairs, program, tmp_path / "b", optimization)
    np.testing.assert_allclose(
        cosines(one, pattern_pairs), cosines(other, pattern_pairs), atol=1e-3
    )


@pytest.mark.parametrize("kind", ["network", "program", "hints"])
def test_a_teacher_of_another_image_size_sees_the_images_resized(
    kind, pattern_pairs, pattern_verifier, tmp_path
):
    """Images twice as large, in which every pixel is four: the teacher sees what it always saw."""
    small = Dataset.open(pattern_pairs)
    large = write_dataset(
        tmp_path / "large",
        {
            split: (np.asarray(small.images(split)).repeat(2, 1).repeat(2, 2), small.labels(split))
            for split in ("train", "validation", "selection")
        },
        task="verification",
        classes=patterns.NAMES,
    ).path
    teacher = pattern_verifier
    if kind == "program":
        teacher = tmp_path / "program"
        model, info = model_folder.load(pattern_verifier)
        model_folder.export(
            teacher, lambda image: model(image, training=False), model.weights, info
        )
        replace(info, trainable=False).write(teacher)
    settings = replace(SETTINGS, label_weight=0.0, hint_weight=float(kind == "hints"))
    optimization = replace(OPTIMIZATION, epochs=8)
    student, report = distilled(large, teacher, tmp_path, optimization, settings)
    assert ModelInfo.read(student).image_shape == (16, 16, 1)
    assert report["teacher"]["validation"] == pytest.approx(
        Validation(small, "verification").measure(
            outputs_of_folder(pattern_verifier, ModelInfo.read(pattern_verifier))
        )
    )
    wanted, got = cosines(pattern_verifier, pattern_pairs), cosines(student, large)
    assert np.corrcoef(wanted.ravel(), got.ravel())[0, 1] > 0.9
    if kind == "hints":  # at 8 x 8, of which the teacher has its image alone, nothing is shared
        assert report["teacher"]["pairing"]["hint"]["resolution"] == [4, 4]


def test_relations_and_similarity_teach_classifiers_too():
    assert SETTINGS.of("classification").relational_weight == 0
    assert SETTINGS.of("verification").relational_weight == 1
    settings = replace(SETTINGS, relational_weight=2.0, similarity_weight=3.0)
    soft = float(objective("classification")(ANSWERED, BATCH, 0.5))
    relations = float(losses.relational_matching(OUTPUTS, TEACHERS))
    similarity = float(losses.similarity_matching(OUTPUTS, TEACHERS))
    assert float(objective("classification", settings)(ANSWERED, BATCH, 0.5)) == pytest.approx(
        soft + 2 * relations + 3 * similarity
    )


def test_the_student_takes_over_the_normalization(pattern_pairs, pattern_verifier, tmp_path):
    model, info = model_folder.load(pattern_verifier)
    other = tmp_path / "teacher"
    model_folder.save(other, model, replace(info, input=replace(info.input, mean=10.0, scale=99.0)))
    student, _ = distilled(pattern_pairs, other, tmp_path, replace(OPTIMIZATION, epochs=1))
    assert ModelInfo.read(student).input.mean == 10.0
    assert ModelInfo.read(student).input.scale == 99.0


def test_a_teacher_that_does_not_fit_is_said(
    pattern_pairs, pattern_data, pattern_verifier, pattern_classifier, tmp_path
):
    def message(data, teacher):
        with pytest.raises(UserError) as caught:
            distilled(data, teacher, tmp_path / "never")
        assert not (tmp_path / "never" / "model").exists()
        return str(caught.value)

    assert "for verification and the dataset for classification" in message(
        pattern_data, pattern_verifier
    )
    colour = tmp_path / "colour"
    _, info = model_folder.load(pattern_verifier)
    replace(info, input=replace(info.input, channels=3)).write(colour)
    assert "(8, 8, 3)" in message(pattern_pairs, colour)
    assert "set channels: 3 under image:" in message(pattern_pairs, colour)
    others = tiny(tmp_path / "others", [0, 0, 1, 1], task="classification").path
    assert "knows the classes bars, checks" in message(others, pattern_classifier)
