"""The curve that Kubeflow Pipelines shows: small however many classes there are."""

import json

import numpy as np
import pytest

from components.measure.curve import MOST_CLASSES, OTHERS, curve_of
from components.statistics.metrics import Predictions


def matrix_of(labels, predicted, classes):
    sample = Predictions(labels=labels, predicted=predicted, classes=len(classes))
    curve = curve_of(sample, classes)
    found = curve["confusionMatrix"]
    names = [spec["displayName"] for spec in found["annotationSpecs"]]
    return names, np.array([row["row"] for row in found["rows"]]), len(json.dumps(curve))


def names(count):
    return tuple(f"species_{number:05d}" for number in range(count))


def test_up_to_fifty_classes_the_matrix_is_whole():
    labels = np.arange(100) % MOST_CLASSES
    found, matrix, _ = matrix_of(labels, labels, names(MOST_CLASSES))
    assert tuple(found) == names(MOST_CLASSES)
    assert (matrix == 2 * np.eye(MOST_CLASSES)).all()


@pytest.mark.parametrize("count", [700, 11_000])
def test_of_many_classes_those_with_the_most_errors_stand_and_every_image_is_counted(count):
    labels = np.repeat(np.arange(count), 2)
    predicted = labels.copy()
    predicted[labels == 300] = 20
    predicted[0] = 600
    found, matrix, size = matrix_of(labels, predicted, names(count))
    assert size < 20_000  # a server takes 4 MB; the whole one of 700 classes had 5.4
    assert len(found) == MOST_CLASSES + 1
    assert found[-1] == OTHERS
    assert matrix.sum() == 2 * count
    place = {name: number for number, name in enumerate(found)}
    wrong = place["species_00300"], place["species_00020"]
    assert matrix[wrong] == 2
    assert matrix[place["species_00000"], place["species_00600"]] == 1
    assert np.trace(matrix) == 2 * count - 3
