"""Distributions of cosines: a student learns them alone, without a label, as its file shows."""

from dataclasses import replace

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from components.artifacts.dataset import Dataset
from components.artifacts.lite_model import MODEL_FILE
from components.artifacts.model import ModelInfo
from components.contract.errors import UserError
from components.convert import convert
from components.ml.formats import model_folder
from components.ml.networks.building import build
from components.ml.runtime import configure
from components.ml.techniques import distillation
from components.ml.techniques.distillation import student_info
from components.ml.training import losses
from components.ml.training.objectives import OUTPUT, TEACHER
from components.ml.training.outputs import outputs_of
from tests.components.flat import quantize
from tests.components.ml.techniques.test_distillation import (
    ANSWERED,
    BATCH,
    OPTIMIZATION,
    OUTPUTS,
    SETTINGS,
    TEACHERS,
    distilled,
    objective,
)
from tests.components.ml.training.test_loop import NETWORK

NOTHING = replace(SETTINGS, label_weight=0.0, embedding_weight=0.0, relational_weight=0.0)
ALONE = replace(NOTHING, distribution_weight=1.0)
LONG = replace(OPTIMIZATION, epochs=8)


def of_file(model, data, folder):
    """Embeddings of the selection split by the int8 file that a student becomes."""
    quantize(model, data, folder / "int8", folder / "plan", scheme="int8", input_type="uint8")
    convert(folder / "int8", folder / "lite", folder / "conversion")
    run = Interpreter(str(folder / "lite" / MODEL_FILE)).get_signature_runner()
    images = np.asarray(Dataset.open(data).images("selection"))
    return np.concatenate([run(image=image[None])["embedding"] for image in images])


def distance(student_nd, teacher, data):
    """How far distributions of cosines are from the teacher's on images of the selection split."""
    network, info = model_folder.load(teacher)
    images = np.asarray(Dataset.open(data).images("selection"))
    return float(losses.distribution_matching(student_nd, outputs_of(network, info)(images)))


@pytest.fixture(scope="module")
def following(pattern_pairs, pattern_verifier, tmp_path_factory):
    """The distance to its teacher of the file of a student that learned its distributions."""
    folder = tmp_path_factory.mktemp("distributions")
    student, _ = distilled(pattern_pairs, pattern_verifier, folder, LONG, ALONE)
    return distance(of_file(student, pattern_pairs, folder), pattern_verifier, pattern_pairs)


def test_the_file_of_a_student_that_learned_nothing_else_has_its_teachers_distributions(
    following, pattern_pairs, pattern_verifier
):
    configure(2, 0)
    info = student_info(pattern_verifier, Dataset.open(pattern_pairs), None)
    outputs_nd = outputs_of(build(NETWORK, info), info)(
        np.asarray(Dataset.open(pattern_pairs).images("selection"))
    )
    assert following < 0.3 * distance(outputs_nd, pattern_verifier, pattern_pairs)


def test_a_student_of_another_images_answers_does_not_come_near(
    following, pattern_pairs, pattern_verifier, tmp_path, monkeypatch
):
    """What the test above holds is due to the term: with answers to other images it fails."""
    right = losses.distribution_matching
    monkeypatch.setattr(
        losses, "distribution_matching",
        lambda outputs, teacher, temperature: right(outputs, teacher[::-1], temperature),
    )  # fmt: skip
    student, _ = distilled(pattern_pairs, pattern_verifier, tmp_path, LONG, ALONE)
    monkeypatch.undo()
    outputs_nd = outputs_of(*model_folder.load(student))(
        np.asarray(Dataset.open(pattern_pairs).images("selection"))
    )
    assert distance(outputs_nd, pattern_verifier, pattern_pairs) > 3 * following


def test_a_distribution_weighs_what_it_is_given():
    found = {
        weight: float(
            objective("verification", replace(ALONE, distribution_weight=weight))(
                ANSWERED, BATCH, 0.5
            )
        )
        for weight in (1.0, 3.0)
    }
    expected = float(losses.distribution_matching(OUTPUTS, TEACHERS, 0.1))
    assert found == {1.0: pytest.approx(expected), 3.0: pytest.approx(3 * expected)}
    softer = replace(ALONE, distribution_temperature=1.0)
    assert float(objective("verification", softer)(ANSWERED, BATCH, 0.5)) == pytest.approx(
        float(losses.distribution_matching(OUTPUTS, TEACHERS, 1.0))
    )


def test_without_weight_labels_are_not_looked_at():
    class Refusing:
        variables = ("never",)

        def on(self, *_):
            raise AssertionError

    made = distillation.DistillationObjective(False, Refusing(), ALONE, None)
    assert made.variables == []
    outputs, batch = {OUTPUT: OUTPUTS}, {**BATCH, TEACHER: TEACHERS}
    assert np.isfinite(float(made(outputs, batch, 0.5)))
    with pytest.raises(AssertionError):
        replace(made, settings=replace(ALONE, label_weight=0.1))(outputs, batch, 0.5)


def test_a_student_that_would_learn_nothing_is_refused(pattern_pairs, pattern_verifier, tmp_path):
    short = replace(OPTIMIZATION, epochs=1)
    with pytest.raises(UserError, match=r"label_weight is 0.*\n.*set distribution_weight: 1"):
        distilled(pattern_pairs, pattern_verifier, tmp_path, short, NOTHING)
    student, _ = distilled(pattern_pairs, pattern_verifier, tmp_path, short, ALONE)  # the fix
    assert ModelInfo.read(student).steps[-1]["component"] == "distill"
