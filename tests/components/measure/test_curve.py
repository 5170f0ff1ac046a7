"""The confusion matrix of few classes, of many, and of the many in a file."""

from __future__ import annotations

import csv
import io

import numpy as np

from components.contract.digests import canonical_json
from components.measure.curve import MOST_CLASSES, confusions_csv, curve_of
from components.statistics.metrics import Predictions


def species(count: int, images: int = 3) -> tuple[Predictions, tuple[str, ...]]:
    """A classifier that takes most images for one of the next classes."""
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(count), images)
    said = (labels + random.integers(0, 4, labels.size)) % count
    return Predictions(said, labels, count), tuple(f"species {n:05d}" for n in range(count))


def matrix_of(sample: Predictions, classes: tuple[str, ...]) -> tuple[list[str], np.ndarray]:
    found = curve_of(sample, classes)["confusionMatrix"]
    names = [one["displayName"] for one in found["annotationSpecs"]]
    return names, np.array([row["row"] for row in found["rows"]])


def test_of_few_classes_all_of_it_is_there() -> None:
    sample, classes = species(MOST_CLASSES)
    names, matrix = matrix_of(sample, classes)
    assert tuple(names) == classes
    assert (matrix == sample.confusion()).all()


def test_of_many_classes_those_confused_most_and_the_rest_as_one() -> None:
    sample, classes = species(700)
    worst = np.array([[600, 3, 40], [3, 601, 30], [5, 6, 20]])
    labels = np.concatenate([sample.labels, *(np.full(n, true) for true, _, n in worst)])
    said = np.concatenate([sample.predicted, *(np.full(n, as_) for _, as_, n in worst)])
    names, matrix = matrix_of(Predictions(said, labels, 700), classes)
    assert len(names) == MOST_CLASSES
    assert names[-1] == "(the other 651 classes)"
    assert names[:-1] == sorted(names[:-1])
    assert {classes[n] for n in (3, 5, 6, 600, 601)} <= set(names)
    place = {name: row for row, name in enumerate(names)}
    assert matrix[place[classes[600]], place[classes[3]]] >= 40
    assert matrix.sum() == len(labels)
    found = curve_of(Predictions(said, labels, 700), classes)
    assert len(canonical_json(found)) < 20_000


def test_one_class_that_takes_all_images_leaves_a_matrix() -> None:
    names, matrix = matrix_of(Predictions(np.zeros(60, int), np.arange(60), 60), tuple("c" * 60))
    assert len(names) == MOST_CLASSES
    assert matrix.sum() == 60


def test_a_classifier_without_a_fault_leaves_one_row() -> None:
    right = np.arange(60)
    names, matrix = matrix_of(Predictions(right, right, 60), tuple(f"c{n}" for n in right))
    assert names == ["(the other 60 classes)"]
    assert matrix.tolist() == [[60]]


def test_the_file_has_every_entry_that_is_not_zero() -> None:
    sample, classes = species(60)
    names = (*classes[:-1], 'one, "quoted"\nname')
    rows = list(csv.reader(io.StringIO(confusions_csv(sample, names).decode())))
    assert rows[0] == ["true", "predicted", "images"]
    dense = np.zeros((60, 60), int)
    for true, said, count in rows[1:]:
        dense[names.index(true), names.index(said)] = int(count)
    assert (dense == sample.confusion()).all()
