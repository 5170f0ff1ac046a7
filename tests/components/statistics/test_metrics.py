"""Classification metrics against scikit-learn, and the paired drop of both tasks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from components.statistics import metrics
from components.statistics.bootstrap import Estimate, Interval
from components.statistics.metrics import (
    METRICS,
    PRIMARY,
    Predictions,
    drop,
    estimate,
    sample_of,
)
from components.statistics.one_shot import Trials, draw_trials
from components.statistics.one_shot_plan import OneShotPlan
from components.statistics.verification import Pairs


def predictions(said: list[int], true: list[int], classes: int) -> Predictions:
    return Predictions.of(np.eye(classes)[said], np.array(true))


@given(
    st.integers(2, 5).flatmap(
        lambda classes: st.tuples(
            st.just(classes),
            st.lists(
                st.tuples(
                    st.integers(0, classes - 1), st.integers(0, classes - 1), st.integers(0, 3)
                ),
                min_size=1,
                max_size=15,
            ).filter(lambda rows: any(row[2] for row in rows)),
        )
    )
)
@settings(max_examples=60, deadline=None)
def test_metrics_are_those_of_the_images_repeated(drawn) -> None:
    classes, rows = drawn
    said, true, weights = (list(column) for column in zip(*rows, strict=True))
    sample = predictions(said, true, classes)
    measured = sample.measure(np.array([weights], np.int32))
    said, true = np.repeat(said, weights), np.repeat(true, weights)
    assert measured["accuracy"][0] == pytest.approx(accuracy_score(true, said))
    assert measured["macro_f1"][0] == pytest.approx(
        f1_score(true, said, average="macro", zero_division=0)
    )


def test_the_confusion_matrix_has_true_classes_as_rows() -> None:
    said, true = [0, 1, 1, 2, 0], [0, 1, 2, 2, 2]
    expected = confusion_matrix(true, said, labels=range(4))
    sample = predictions(said, true, 4)
    assert (sample.confusion() == expected).all()
    dense = np.zeros((4, 4), int)
    for row, column, count in sample.answers():
        dense[row, column] = count
    assert (dense == expected).all()
    assert sample.confusions().tolist() == [[2, 0, 1], [2, 1, 1]]
    assert sample.recalls().tolist() == [1, 1, 1 / 3, 0]


def test_metrics_of_many_classes_are_those_of_a_matrix() -> None:
    """Bit by bit, and in parts that do not end with the draws."""
    random = np.random.default_rng(0)
    labels, said = random.integers(0, 40, (2, 300))
    sample = Predictions(np.where(random.random(300) < 0.5, labels, said), labels, 60)
    weights = sample.draw(700, seed=1).astype(float)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "_AT_ONCE", 300 * 64)
        found = sample.measure(weights.astype(np.int32))
    true, predicted = (np.eye(60)[of] for of in (sample.labels, sample.predicted))
    right, occurs = weights @ (true * predicted), weights @ (true + predicted)
    f1 = 2 * right / np.maximum(occurs, 1)
    assert (found["accuracy"] == right.sum(axis=1) / weights.sum(axis=1)).all()
    assert (found["macro_f1"] == f1.sum(axis=1) / (occurs > 0).sum(axis=1)).all()


def test_eleven_thousand_classes_take_no_matrix_of_them() -> None:
    labels = np.arange(22_000) % 11_000
    sample = Predictions((labels + labels % 3) % 11_000, labels, 11_000)
    assert sample.measure(np.ones((3, 22_000), np.int32))["accuracy"][0] == pytest.approx(
        1 / 3, abs=1e-3
    )
    assert len(sample.answers()) == 11_000
    assert sample.confusions()[0].tolist() == [1, 2, 2]
    assert sample.recalls()[:3].tolist() == [1, 0, 0]


def test_a_tie_goes_to_the_first_class() -> None:
    scores = np.array([[0.5, 0.5], [0.1, 0.9]], np.float32)
    assert Predictions.of(scores, np.array([1, 1])).predicted.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("outputs", "labels", "fault"),
    [
        ([[1.0, np.inf]], [0], "not finite"),
        ([[1.0, 0.0]], [2], "do not index"),
        (np.zeros((0, 2)), [], "do not index"),
    ],
)
def test_scores_that_cannot_be_read_are_refused(outputs, labels, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        Predictions.of(np.array(outputs), np.array(labels, int))


def test_the_table_names_what_samples_measure() -> None:
    labels = np.repeat(np.arange(75), 2)  # 11,025 pairs of two: enough for a rate of 1 in 1,000
    trials = draw_trials(labels, None, OneShotPlan(trials=75), seed=0)
    assert isinstance(trials, Trials)
    for task in ("verification", "classification"):
        outputs = np.eye(150, 75)
        sample = sample_of(task, outputs, labels, resample="image", threshold=0.5, trials=trials)
        named = {metric.name for metric in METRICS.values() if task in metric.tasks}
        assert set(estimate(sample, sample.draw(3, seed=0))) == named
        assert PRIMARY[task] in named


@pytest.mark.parametrize(
    ("metric", "worse"), [("auc", 0.8), ("accuracy", 0.8), ("tar", 0.8), ("macro_f1", 0.8),
                          ("eer", 1.0)]
)  # fmt: skip
def test_a_drop_is_positive_where_the_variant_is_worse(metric: str, worse: float) -> None:
    reference, variant = Estimate(0.9, np.full(4, 0.9)), Estimate(worse, np.full(4, worse))
    assert drop(metric, reference, variant).value == pytest.approx(0.1)
    assert drop(metric, variant, reference).interval(0.9).high == pytest.approx(-0.1)


def verifiers(noise: float, seed: int = 0) -> tuple[Pairs, np.ndarray]:
    """A good embedding of 12 identities; a second call with more noise is a worse variant."""
    random = np.random.default_rng(5)
    labels = np.repeat(np.arange(12), 6)
    outputs = random.normal(size=(12, 16))[labels] + 0.9 * random.normal(size=(72, 16))
    outputs = outputs + noise * np.random.default_rng(seed).normal(size=outputs.shape)
    return Pairs.of(outputs, labels), outputs


def test_the_same_answers_drop_by_nothing() -> None:
    sample, _ = verifiers(0)
    draws = sample.draw(300, seed=0)
    found = drop("auc", estimate(sample, draws)["auc"], estimate(sample, draws)["auc"])
    assert found.interval(0.95) == Interval(0, 0, 0)


def test_a_paired_drop_is_narrower_than_two_intervals() -> None:
    """Draws of another seed, as a mutation would take them, lose the pairing."""
    reference, _ = verifiers(0)
    variant, _ = verifiers(0.15)
    before = estimate(reference, reference.draw(400, seed=0))["auc"]
    paired = drop("auc", before, estimate(variant, variant.draw(400, seed=0))["auc"])
    unpaired = drop("auc", before, estimate(variant, variant.draw(400, seed=1))["auc"])
    widths = [item.interval(0.95).high - item.interval(0.95).low for item in (paired, unpaired)]
    assert widths[0] < 0.5 * widths[1]


def test_a_constant_embedding_turns_the_gate_red() -> None:
    """The budget holds when the upper end of the drop does: near copies pass, a constant fails."""
    budget = 0.02
    reference, outputs = verifiers(0)
    draws = reference.draw(500, seed=0)
    before = estimate(reference, draws)["auc"]
    near, _ = verifiers(0.02)
    passed = drop("auc", before, estimate(near, draws)["auc"]).interval(0.95)
    assert passed.high <= budget
    constant = Pairs.of(np.broadcast_to(outputs[0], outputs.shape), reference.labels)
    after = estimate(constant, draws)["auc"]
    assert after.value == 0.5
    failed = drop("auc", before, after).interval(0.95)
    assert failed.low > budget
