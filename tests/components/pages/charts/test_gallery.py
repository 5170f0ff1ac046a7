"""Which charts a decision is told with, where there are few classes and where there are many."""

from dataclasses import replace

import numpy as np
import pytest

from components.artifacts.decision import Decision
from components.measure.paired import Answers
from components.pages.charts.gallery import answer_pictures
from tests.components.test_select import STUDENT, TEACHER, TINY, run


@pytest.fixture(scope="module")
def classified(tmp_path_factory):
    """A decision between classifiers, and the answers of the reference and of the winner."""
    root = tmp_path_factory.mktemp("classified")
    out = run(root, [TEACHER, STUDENT, TINY], task="classification")
    answers = [Answers.read(root / "in" / str(place) / "evaluation") for place in (0, 2)]
    return Decision.read(out / "decision"), *answers


def of_classes(answers, count, shift):
    """Answers to two images of each of so many classes, every third taken for another."""
    labels = np.repeat(np.arange(count, dtype=np.int32), 2)
    said = np.where(labels % 3 == 0, (labels + shift) % count, labels)
    evaluation = replace(answers.evaluation, classes=tuple(f"kind {n:03d}" for n in range(count)))
    return Answers(evaluation, np.eye(count, dtype=np.float32)[said], labels)


def test_up_to_fifty_classes_have_the_whole_matrix(classified):
    decision, reference, winner = classified
    recall, matrix = answer_pictures(
        decision, of_classes(reference, 50, 1), ("tiny", of_classes(winner, 50, 2))
    )
    assert recall.title == "Recall by class"
    assert matrix.title == "Confusion matrix of tiny"
    assert matrix.note.startswith("34 of 100 images are taken for another class. Rows:")
    assert matrix.drawing.count("taken for kind") >= 50


def test_more_classes_have_the_worst_pairs(classified):
    decision, reference, winner = classified
    recall, pairs = answer_pictures(
        decision, of_classes(reference, 300, 0), ("tiny", of_classes(winner, 300, 2))
    )
    assert recall.note.endswith("The 50 of 300 classes that lose most.")
    assert recall.drawing.count("<text") < 70
    assert pairs.title == "Confusions of tiny"
    assert "The 20 worst of 100 pairs; confusions.csv beside the evaluation" in pairs.note
    assert pairs.drawing.count('class="bar"') == 20
    assert len(pairs.drawing) < 20_000


def test_without_another_the_reference_is_drawn(classified):
    decision, reference, _ = classified
    (matrix,) = answer_pictures(decision, reference, None)
    assert matrix.title == "Confusion matrix of teacher"
