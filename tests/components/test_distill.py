"""Distill as a component: its bytes, and a student that keeps to its teacher."""

import json

import pytest

from components.artifacts.model import ModelInfo
from components.contract.errors import UserError
from components.contract.tree import tree_of
from components.distill import distill
from components.ml.settings import Augmentation, TeacherViews
from components.train import train
from tests.components.test_train import NETWORK, OPTIMIZATION, fresh

STUDENT = {
    "network": NETWORK, "teacher_views": TeacherViews(views=2), "optimization": OPTIMIZATION,
}  # fmt: skip


def test_two_fresh_processes_write_the_same_bytes(pattern_pairs, pattern_verifier, tmp_path):
    inputs = {"dataset": pattern_pairs, "teacher": pattern_verifier}
    for name in ("one", "other"):
        fresh(
            "distill", tmp_path / name, inputs, **STUDENT,
            augmentation=Augmentation(augment="strong", flip=True),
        )  # fmt: skip
    assert tree_of(tmp_path / "one") == tree_of(tmp_path / "other")


def test_a_classifier_is_the_same_here_and_in_a_fresh_process(
    pattern_data, pattern_classifier, tmp_path
):
    inputs = {"dataset": pattern_data, "teacher": pattern_classifier}
    fresh("distill", tmp_path / "fresh", inputs, **STUDENT)
    here = tmp_path / "here"
    distill(pattern_data, pattern_classifier, here / "model", here / "report", **STUDENT)
    assert tree_of(tmp_path / "fresh") == tree_of(here)
    info = ModelInfo.read(here / "model")
    assert [step["component"] for step in info.steps] == ["train", "distill"]
    report = json.loads((here / "report" / "training.json").read_bytes())
    curve = info.history[-1].curve
    assert [point.epoch for point in curve.points] == [one["number"] for one in report["epochs"]]
    assert (info.history[-1].step, curve.kept) == (1, report["kept"]["number"])
    assert report["parameters"]["temperature"] == 4.0
    assert report["kept"]["validation"] > 0.5


@pytest.mark.parametrize("task", ["classification", "verification"])
def test_a_control_is_what_train_makes_of_the_same_settings(task, request, tmp_path):
    """Bit for bit: nothing of the teacher is in it but its size and how it is fed."""
    fixtures = {
        "classification": ("pattern_data", "pattern_classifier"),
        "verification": ("pattern_pairs", "pattern_verifier"),
    }
    data, teacher = map(request.getfixturevalue, fixtures[task])
    one, other = tmp_path / "control", tmp_path / "plain"
    distill(data, teacher, one / "model", one / "report", **STUDENT, control=True, seed=3)
    train(
        data, None, other / "model", other / "report", network=NETWORK,
        embedding=ModelInfo.read(teacher).output.size, optimization=OPTIMIZATION, seed=3,
    )  # fmt: skip
    assert tree_of(one / "model") == tree_of(other / "model")
    histories = [
        json.loads((folder / "report" / "training.json").read_bytes())["epochs"]
        for folder in (one, other)
    ]
    assert histories[0] == histories[1]
    assert [step["component"] for step in ModelInfo.read(one / "model").steps] == ["train"]
    student = tmp_path / "student"
    distill(data, teacher, student / "model", student / "report", **STUDENT, seed=3)
    assert tree_of(student / "model") != tree_of(one / "model")


def test_a_teacher_of_another_task_is_refused_and_nothing_is_written(
    pattern_data, pattern_verifier, tmp_path
):
    with pytest.raises(UserError, match="for verification"):
        distill(pattern_data, pattern_verifier, tmp_path / "model", tmp_path / "report", **STUDENT)
    assert not (tmp_path / "model").exists()
