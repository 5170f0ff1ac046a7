"""Verification metrics against scikit-learn and against their definitions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from components.statistics.bootstrap import Interval
from components.statistics.metrics import estimate
from components.statistics.verification import (
    FAR,
    IMPOSTORS_LEAST,
    LOW_FAR,
    Pairs,
    cosines,
    has_pairs,
)


def pairs_of(labels: np.ndarray, weights: np.ndarray, resample: str):
    """Return genuine or not, and the weight, of every pair, one by one."""
    unit = np.unique(labels, return_inverse=True)[1] if resample == "identity" else None
    for a, b in itertools.combinations(range(len(labels)), 2):
        if unit is None:
            yield labels[a] == labels[b], weights[a] * weights[b]
        elif labels[a] == labels[b]:
            yield True, weights[unit[a]]
        else:
            yield False, weights[unit[a]] * weights[unit[b]]


def brute_force(
    scores: np.ndarray, genuine: np.ndarray, weights: np.ndarray, threshold: float
) -> dict[str, float]:
    """Return the metrics by their definitions: every pair against every pair, every cut."""
    g, i = genuine, ~genuine
    above = (scores[g][:, None] > scores[i]) + 0.5 * (scores[g][:, None] == scores[i])
    all_g, all_i = weights[g].sum(), weights[i].sum()
    points = [(0.0, 0.0)]
    for cut in np.unique(scores)[::-1]:
        taken = scores >= cut
        points.append((weights[taken & i].sum() / all_i, weights[taken & g].sum() / all_g))
    accepted = scores >= threshold
    right = weights[accepted & g].sum() / all_g + weights[~accepted & i].sum() / all_i
    return {
        "auc": (weights[g][:, None] * weights[i] * above).sum() / (all_g * all_i),
        "eer": crossing(points),
        "tar": max(t for f, t in points if f <= FAR),
        "accuracy": right / 2,
    }


def crossing(points: list[tuple[float, float]]) -> float:
    """Follow the curve to where false accepts equal false rejects."""
    for (f0, t0), (f1, t1) in itertools.pairwise(points):
        if f1 + t1 >= 1:
            share = (1 - f0 - t0) / (f1 + t1 - f0 - t0) if f1 + t1 > f0 + t0 else 0.0
            return f0 + share * (f1 - f0)
    raise AssertionError("the curve ends at (1, 1)")


@st.composite
def samples(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, str, np.ndarray]:
    """A few coarse embeddings, so that many scores tie, with labels and weights."""
    labels = np.array(draw(st.lists(st.integers(0, 3), min_size=3, max_size=12).filter(
        lambda items: has_pairs(np.array(items)))))  # fmt: skip
    cells = st.lists(st.integers(-2, 2), min_size=2 * len(labels), max_size=2 * len(labels))
    outputs = np.array(draw(cells), np.float32).reshape(-1, 2)
    resample = draw(st.sampled_from(["identity", "image"]))
    units = np.unique(labels).size if resample == "identity" else len(labels)
    largest = draw(st.sampled_from([3, 30]))  # both widths that weights are kept in
    weights = np.array(draw(st.lists(st.integers(0, largest), min_size=units, max_size=units)))
    return outputs, labels, resample, weights


@given(samples())
@settings(max_examples=100, deadline=None)
def test_metrics_are_what_their_definitions_say(sample) -> None:
    outputs, labels, resample, weights = sample
    rows = list(pairs_of(labels, weights, resample))
    genuine = np.array([row[0] for row in rows])
    pair_weights = np.array([row[1] for row in rows], float)
    if not pair_weights[genuine].sum() or not pair_weights[~genuine].sum():
        return  # a draw that is drawn again
    scores = cosines(outputs)[np.triu_indices(len(labels), k=1)]
    pairs = Pairs.of(outputs, labels, resample=resample, threshold=0.5)
    measured = pairs.measure(weights[None].astype(np.int32))
    expected = brute_force(scores, genuine, pair_weights, 0.5)
    assert {name: values[0] for name, values in measured.items()} == pytest.approx(expected)
    assert measured["auc"][0] == pytest.approx(
        roc_auc_score(genuine, scores, sample_weight=pair_weights)
    )


@pytest.mark.parametrize("resample", ["identity", "image"])
def test_more_pairs_than_one_slab_and_more_draws_than_one_chunk(resample: str) -> None:
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(50), 4)
    outputs = random.normal(size=(50, 8))[labels] + 1.2 * random.normal(size=(200, 8))
    outputs = np.round(outputs * 2).astype(np.float32)
    pairs = Pairs.of(outputs, labels, resample=resample, threshold=0.2)
    draws = pairs.draw(150, seed=4)
    together = pairs.measure(draws)
    scores = cosines(outputs)[np.triu_indices(200, k=1)]
    for row in (0, 63, 64, 149):
        alone = pairs.measure(draws[row : row + 1])
        assert {name: values[0] for name, values in alone.items()} == {
            name: values[row] for name, values in together.items()
        }
        rows = list(pairs_of(labels, draws[row], resample))
        genuine = np.array([each[0] for each in rows])
        weights = np.array([each[1] for each in rows], float)
        assert together["auc"][row] == pytest.approx(
            roc_auc_score(genuine, scores, sample_weight=weights)
        )


def test_a_constant_embedding_tells_nothing() -> None:
    labels = np.repeat(np.arange(9), 7)
    vector = np.random.default_rng(0).normal(size=64).astype(np.float32)
    pairs = Pairs.of(np.tile(vector, (63, 1)), labels, threshold=0.5)
    for item in estimate(pairs, pairs.draw(50, seed=0)).values():
        assert set(item.resampled) | {item.value} <= {0.0, 0.5}
    assert pairs.balanced_threshold() == 1.0


def test_vectors_are_compared_by_direction_alone() -> None:
    outputs = np.array([[1, 0], [3, 0], [0, 2], [0, 0.1]], np.float32)
    assert cosines(outputs) == pytest.approx(np.kron(np.eye(2), np.ones((2, 2))))


def test_a_zero_vector_is_like_nothing() -> None:
    assert (cosines(np.array([[0, 0], [1, 1]], np.float32))[0] == 0).all()


def test_raw_pixels_of_any_number_are_compared_exactly() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (5, 9000)).astype(np.uint8)
    wide = pixels.astype(int).astype(object)
    exact = [[float(a @ b) / (float(a @ a) * float(b @ b)) ** 0.5 for b in wide] for a in wide]
    assert cosines(pixels) == pytest.approx(np.array(exact), abs=1e-9)


def test_outputs_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        Pairs.of(np.array([[1.0], [np.nan], [2.0]]), np.array([0, 0, 1]))


@pytest.mark.parametrize(("labels", "missing"), [([0, 0, 0], "impostor"), ([0, 1, 2], "genuine")])
def test_a_split_without_both_kinds_of_pairs_is_refused(labels: list[int], missing: str) -> None:
    assert not has_pairs(np.array(labels))
    with pytest.raises(ValueError, match=f"no {missing} pair"):
        Pairs.of(np.eye(3), np.array(labels))


@pytest.mark.parametrize("resample", ["identity", "image"])
def test_every_draw_has_both_kinds_of_pairs(resample: str) -> None:
    labels = np.array([0, 0, 1, 1, 2])
    pairs = Pairs.of(np.random.default_rng(0).normal(size=(5, 3)), labels, resample=resample)
    draws = pairs.draw(400, seed=0)
    for name, values in pairs.measure(draws).items():
        assert np.isfinite(values).all(), name


def test_draws_do_not_depend_on_what_a_model_answers() -> None:
    labels, random = np.repeat(np.arange(3), 3), np.random.default_rng(0)
    first, second = (Pairs.of(random.normal(size=(9, 2)), labels) for _ in range(2))
    assert (first.draw(200, seed=7) == second.draw(200, seed=7)).all()


def separated(images: int = 40) -> Pairs:
    random = np.random.default_rng(2)
    labels = np.arange(images) % 5
    outputs = np.eye(5)[labels] + 0.35 * random.normal(size=(images, 5))
    return Pairs.of(outputs.astype(np.float32), labels)


def test_the_curve_is_that_of_scikit_learn() -> None:
    pairs = separated()
    truth = np.r_[np.ones(pairs.scores_genuine.size), np.zeros(pairs.scores_impostor.size)]
    scores = np.r_[pairs.scores_genuine, pairs.scores_impostor]
    false, true, thresholds = roc_curve(truth, scores, drop_intermediate=False)
    roc = pairs.roc()
    assert roc.false_positive_rate == pytest.approx(false)
    assert roc.true_positive_rate == pytest.approx(true)
    assert roc.thresholds[1:] == pytest.approx(thresholds[1:])
    assert np.isfinite(roc.thresholds).all()
    assert roc.thresholds[0] > scores.max()


def test_a_thinned_curve_keeps_its_ends_and_its_shape() -> None:
    roc = separated().roc()
    thin = roc.thinned(100)
    assert 20 < thin.thresholds.size <= 100 < roc.thresholds.size
    for curve in (roc, thin):
        ends = [(curve.false_positive_rate[k], curve.true_positive_rate[k]) for k in (0, -1)]
        assert ends == [(0, 0), (1, 1)]
        area = np.trapezoid(curve.true_positive_rate, curve.false_positive_rate)
        assert area == pytest.approx(
            np.trapezoid(roc.true_positive_rate, roc.false_positive_rate), abs=0.01
        )


def test_the_threshold_balances_refusals_and_false_accepts() -> None:
    pairs = separated()
    threshold = pairs.balanced_threshold()
    refused = np.mean(pairs.scores_genuine < threshold)
    accepted = np.mean(pairs.scores_impostor >= threshold)
    gaps = [
        abs(np.mean(pairs.scores_genuine < cut) - np.mean(pairs.scores_impostor >= cut))
        for cut in np.r_[pairs.scores_genuine, pairs.scores_impostor]
    ]
    assert abs(refused - accepted) == pytest.approx(min(gaps))
    assert threshold not in {*pairs.scores_genuine, *pairs.scores_impostor}


def test_a_threshold_between_separate_clouds_makes_no_mistake() -> None:
    outputs = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1]], np.float32)
    labels = np.array([0, 0, 1, 1])
    threshold = Pairs.of(outputs, labels).balanced_threshold()
    judged = Pairs.of(outputs, labels, threshold=threshold)
    assert judged.measure(np.ones((1, 2), np.int32))["accuracy"][0] == 1.0


def test_without_a_threshold_there_is_no_accuracy() -> None:
    assert set(separated().measure(np.ones((1, 5), np.int32))) == {"auc", "eer", "tar"}


def test_the_histogram_counts_every_pair_once() -> None:
    pairs = separated()
    histogram = pairs.histogram(bins=10)
    assert len(histogram["edges"]) == 11
    assert sum(histogram["genuine"]) == pairs.scores_genuine.size
    assert sum(histogram["impostor"]) == pairs.scores_impostor.size
    assert np.average(np.arange(10), weights=histogram["genuine"]) > np.average(
        np.arange(10), weights=histogram["impostor"]
    )


@pytest.mark.parametrize("resample", ["identity", "image"])
def test_intervals_cover_the_truth_as_often_as_they_say(resample: str) -> None:
    """Of 120 studies, about nine in ten 90 % intervals hold what they would agree on."""
    random = np.random.default_rng(11)
    people = random.normal(size=(10, 6))  # where all identities there are were trained on
    values: list[float] = []
    intervals: list[Interval] = []
    for number in range(120):
        labels = np.repeat(np.arange(30), 3) if resample == "identity" else np.arange(90) % 10
        centres = random.normal(size=(30, 6)) if resample == "identity" else people
        outputs = centres[labels] + 0.8 * random.normal(size=(90, 6))
        pairs = Pairs.of(outputs, labels, resample=resample)
        found = estimate(pairs, pairs.draw(120, seed=number))["auc"]
        values.append(found.value)
        intervals.append(found.interval(0.9))
    truth = np.mean(values)
    held = np.mean([item.low <= truth <= item.high for item in intervals])
    assert 0.82 <= held <= 0.97, held


@pytest.mark.parametrize(("images", "there"), [(145, True), (140, False)])
def test_the_accept_rate_at_one_in_a_thousand_needs_ten_expected_false_accepts(
    images: int, there: bool
) -> None:
    labels = np.arange(images) // 2
    random = np.random.default_rng(0)
    outputs = random.standard_normal((images // 2 + 1, 8))[labels]
    outputs = outputs + 0.6 * random.standard_normal((images, 8))
    sample = Pairs.of(outputs, labels)
    assert (sample.scores_impostor.size >= IMPOSTORS_LEAST) == there
    found = sample.measure(np.ones((1, sample.units), np.int32))
    assert ("tar_1e3" in found) == there
    if there:
        allowed = int(sample.scores_impostor.size * LOW_FAR)
        cut = sample.scores_impostor[allowed]  # with it too many would be accepted
        assert found["tar_1e3"][0] == np.mean(sample.scores_genuine > cut) < found["tar"][0]
