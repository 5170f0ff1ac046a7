"""Answers of a teacher that ran elsewhere, as components: measured, learned from, for every task."""

import json
from dataclasses import replace

import numpy as np
import pytest

from components.artifacts.dataset import Dataset, write_dataset
from components.artifacts.evaluation import Evaluation
from components.artifacts.model import ModelInfo
from components.contract.errors import UserError
from components.distill import distill
from components.evaluate_answers import evaluate_answers
from components.import_answers import import_answers
from components.statistics.resampling import Resampling
from pipelines.sources.snapshot import snapshot_answers, stage
from tests.components.test_distill import STUDENT
from tests.data.patterns import NAMES, images_of

SPLITS = {"train": 80, "validation": 40, "selection": 40}
ONCE = replace(STUDENT["optimization"], epochs=1)


class Given:
    """A Dataset of the first patterns and a file of answers to its images.

    Attributes:
        data: The Dataset.
        labels: Of all images, in the order of the answers.
        paths: Of all images.
    """

    def __init__(self, folder, task, classes):
        self._folder, splits, manifest, labels = folder, {}, [], []
        for seed, (split, size) in enumerate(SPLITS.items()):
            pixels, drawn = images_of(size, seed)
            rows = np.flatnonzero(drawn < len(classes))
            splits[split] = pixels[rows], drawn[rows]
            for index, label in enumerate(drawn[rows]):
                name = f"{split}/{index}.png"
                manifest.append({"name": name, "split": split, "index": index, "records": None})
                labels.append(label)
        self.labels, self.paths = np.array(labels), np.array([line["name"] for line in manifest])
        self.data = write_dataset(
            folder / "data", splits, task=task, classes=classes, manifest=manifest
        ).path

    def source(self, outputs, name="answers", **arrays):
        """Stage a file of answers; they are shuffled first."""
        order = np.random.default_rng(0).permutation(len(outputs))
        path = self._folder / f"{name}.npz"
        np.savez(path, paths=self.paths[order], outputs=outputs[order], **arrays)
        stage(snapshot_answers(str(path)), self._folder / name)
        return self._folder / name

    def imported(self, source):
        """Import answers; returns the Model and the report."""
        ends = source.with_suffix(".model"), source.with_suffix(".report")
        import_answers(source, self.data, *ends)
        return ends

    def evaluated(self, source, report):
        """Evaluate answers on the selection split; returns the folder of the report."""
        folder = source.with_suffix(".evaluation")
        evaluate_answers(
            source, self.data, report, None, folder, folder.with_suffix(".metrics"),
            folder.with_suffix(".curve"), resampling=Resampling(resamples=50),
        )  # fmt: skip
        return folder


def learned(given, model, **settings):
    """Distill a student for one epoch; returns its validation metric."""
    ends = model.with_suffix(".student"), model.with_suffix(".training")
    distill(given.data, model, *ends, **{**STUDENT, "optimization": ONCE, **settings})
    training = json.loads((ends[1] / "training.json").read_bytes())
    return ModelInfo.read(ends[0]), training["kept"]["validation"]


@pytest.mark.parametrize("named", [None, NAMES[0]])
def test_one_number_tells_two_classes_apart(named, tmp_path):
    given = Given(tmp_path, "classification", NAMES[:2])
    second = np.where(given.labels == 1, 0.9, 0.2)[:, None]
    wrong = np.flatnonzero(given.paths == "selection/3.png")
    second[wrong] = 1 - second[wrong]
    outputs, classes = (1 - second, {"classes": np.array([named])}) if named else (second, {})
    source = given.source(outputs, **classes)
    model, report = given.imported(source)
    info = ModelInfo.read(model)
    assert (info.output.classes, info.output.activation) == (NAMES[:2], "softmax")
    assert json.loads((report / "import.json").read_bytes())["validation"] == 1.0
    evaluation = given.evaluated(source, report)
    kept = np.load(evaluation / "outputs.npy")
    labels = Dataset.open(given.data).labels("selection")
    assert kept.shape == (20, 2)
    np.testing.assert_allclose(kept.sum(axis=1), 1, atol=1e-6)
    assert np.flatnonzero(kept.argmax(axis=1) != labels).tolist() == [3]
    assert Evaluation.read(evaluation).metrics["accuracy"].value == pytest.approx(19 / 20)
    student, _ = learned(given, model)
    assert student.output.size == 2


def test_embeddings_of_a_teacher_that_ran_elsewhere_are_learned(tmp_path):
    given = Given(tmp_path, "verification", NAMES)
    noise = np.random.default_rng(0).normal(0, 0.05, (len(given.labels), 6))
    source = given.source(np.eye(6)[given.labels] + noise)
    model, report = given.imported(source)
    info = ModelInfo.read(model)
    assert (info.output.kind, info.output.size, info.trainable) == ("embedding", 6, False)
    assert json.loads((report / "import.json").read_bytes())["metric"] == "auc"
    evaluation = Evaluation.read(given.evaluated(source, report))
    assert evaluation.metrics["auc"].value > 0.99
    assert evaluation.threshold is not None
    student, auc = learned(given, model)
    assert (student.output.kind, student.output.size) == ("embedding", 6)
    assert auc > 0.5


def test_one_number_or_probabilities_are_no_embedding_and_numbers_before_them_are(tmp_path):
    given = Given(tmp_path, "verification", NAMES)
    faults = {"one number": given.labels[:, None] / 4, "softmax": np.eye(4)[given.labels]}
    for said, outputs in faults.items():
        with pytest.raises(UserError, match=said) as caught:
            given.imported(given.source(outputs, said.replace(" ", "-")))
        assert "without its last layer" in caught.value.fix
    given.imported(given.source(np.eye(4)[given.labels] - 0.5, "before"))


def test_answers_that_were_not_imported_are_not_measured(tmp_path):
    given = Given(tmp_path, "classification", NAMES[:2])
    one, other = (given.source(np.eye(2)[given.labels] * far, f"by-{far}") for far in (1, 2))
    _, report = given.imported(one)
    with pytest.raises(UserError, match="is not the file of answers that was imported"):
        given.evaluated(other, report)
    given.evaluated(other, given.imported(other)[1])
