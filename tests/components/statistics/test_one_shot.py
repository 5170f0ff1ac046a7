"""One-shot trials against a count by hand, trial by trial."""

from __future__ import annotations

import numpy as np
import pytest

from components.statistics.metrics import drop, estimate, sample_of
from components.statistics.one_shot import Trials, draw_trials
from components.statistics.one_shot_plan import OneShotPlan
from components.statistics.verification import Pairs, cosines

LABELS = np.repeat(np.arange(9), 3)
GROUPS = np.repeat([0, 0, 0, 0, 1, 1, 1, 2, 2], 3)
"""Groups of 4, 3 and 2 identities."""


def trials_of(ways: int, groups: np.ndarray | None = GROUPS, trials: int = 500) -> Trials:
    plan = OneShotPlan(ways=ways, trials=trials)
    drawn = draw_trials(LABELS, groups, plan, seed=0, group_names=("Greek", "Latin", "Runes"))
    assert isinstance(drawn, Trials)
    return drawn


def embeddings(seed: int = 0, noise: float = 0.7) -> np.ndarray:
    random = np.random.default_rng(seed)
    centres = random.standard_normal((9, 4))
    return centres[LABELS] + noise * random.standard_normal((len(LABELS), 4))


def by_hand(trials: Trials, outputs: np.ndarray, weights: np.ndarray, unit: np.ndarray) -> float:
    """Count the trials one by one."""
    scores, right, asked = cosines(outputs), 0.0, 0.0
    for query, support in zip(trials.query_t, trials.support_tw, strict=True):
        found = [scores[query, image] for image in support]
        winners = [place for place, score in enumerate(found) if score == max(found)]
        right += weights[unit[query]] * (1 / len(winners) if 0 in winners else 0)
        asked += weights[unit[query]]
    return right / asked


@pytest.mark.parametrize("ways", [2, 3])
def test_a_trial_asks_about_one_of_as_many_identities_as_there_are_ways(ways: int) -> None:
    drawn = trials_of(ways)
    support = LABELS[drawn.support_tw]
    assert (support[:, 0] == LABELS[drawn.query_t]).all()
    assert (drawn.query_t != drawn.support_tw[:, 0]).all(), "another image of the same identity"
    assert all(len(set(row)) == ways for row in support)
    assert (GROUPS[drawn.support_tw] == GROUPS[drawn.query_t][:, None]).all()


def test_every_identity_is_asked_about_equally_often() -> None:
    counts = np.bincount(LABELS[trials_of(2, trials=900).query_t])
    assert counts.tolist() == [100] * 9


@pytest.mark.parametrize("resample", ["identity", "image"])
@pytest.mark.parametrize("coarse", [False, True])
def test_accuracy_is_that_of_trials_counted_by_hand(resample, coarse) -> None:
    drawn, outputs = trials_of(3), embeddings()
    outputs = np.round(outputs) if coarse else outputs  # ties
    sample = Pairs.of(outputs, LABELS, resample=resample, trials=drawn)
    unit = LABELS if resample == "identity" else np.arange(len(LABELS))
    weights = np.concatenate([np.ones((1, sample.units), np.int32), sample.draw(5, seed=1)])
    expected = [by_hand(drawn, outputs, row, unit) for row in weights]
    assert sample.measure(weights)["one_shot"] == pytest.approx(expected, abs=1e-12)


def test_a_model_that_cannot_tell_reaches_chance_and_one_that_can_is_always_right() -> None:
    drawn = trials_of(3)
    assert drawn.task.chance == pytest.approx(1 / 3)
    for outputs, accuracy in ((np.ones((27, 4)), 1 / 3), (np.eye(9)[LABELS], 1)):
        sample = Pairs.of(outputs, LABELS, trials=drawn)
        assert estimate(sample, sample.draw(9, 0))["one_shot"].value == pytest.approx(accuracy)


def test_groups_of_too_few_identities_are_left_out_by_name() -> None:
    drawn = trials_of(3)
    assert drawn.task.left_out == ("Runes",)
    assert (drawn.task.groups, drawn.task.identities) == (2, 7)
    assert set(GROUPS[drawn.query_t]) == {0, 1}
    assert "1 group has fewer than 3 identities and is left out: Runes" in drawn.task.sentence


def test_why_there_are_no_trials_is_said() -> None:
    plan = OneShotPlan(ways=5)
    within = draw_trials(LABELS, GROUPS, plan, seed=0, group_names=("Greek", "Latin", "Runes"))
    assert within == (
        "a trial of 5 ways needs 5 identities in a group, and the largest group, Greek, has 4"
    )
    among_all = draw_trials(LABELS, None, OneShotPlan(ways=20), seed=0)
    assert among_all == "a trial of 20 ways needs 20 identities, and there are 9"
    single = draw_trials(np.arange(6), None, OneShotPlan(ways=2), seed=0)
    assert single == "no identity of a group of 2 or more has two images to ask with"


def test_an_identity_of_one_image_is_a_rival_and_not_asked_about() -> None:
    labels = np.array([0, 0, 1, 1, 2])
    drawn = draw_trials(labels, None, OneShotPlan(ways=3, trials=60), seed=0)
    assert isinstance(drawn, Trials)
    assert set(labels[drawn.query_t]) == {0, 1}
    assert (np.sort(labels[drawn.support_tw], axis=1) == [0, 1, 2]).all()


def test_equal_seeds_give_equal_trials_and_others_differ() -> None:
    one, again = trials_of(3), trials_of(3)
    assert (one.support_tw == again.support_tw).all()
    other = draw_trials(LABELS, GROUPS, OneShotPlan(ways=3, trials=500), seed=1)
    assert isinstance(other, Trials)
    assert (one.support_tw != other.support_tw).any()


def test_every_resample_has_a_trial_even_where_few_identities_are_asked_about() -> None:
    labels = np.concatenate([[0, 0, 1, 1], np.repeat(np.arange(2, 12), 2)])
    groups = np.concatenate([np.zeros(4, int), np.repeat(np.arange(1, 11), 2)])
    drawn = draw_trials(labels, groups, OneShotPlan(ways=2, trials=40), seed=0)
    outputs = np.random.default_rng(0).standard_normal((len(labels), 3))
    sample = sample_of("verification", outputs, labels, resample="identity", trials=drawn)
    assert np.isfinite(estimate(sample, sample.draw(400, seed=0))["one_shot"].resampled).all()


def test_the_drop_is_paired_narrower_than_either_interval() -> None:
    drawn = trials_of(3, trials=2000)
    before, after = (
        Pairs.of(embeddings(noise=noise), LABELS, trials=drawn) for noise in (0.7, 0.75)
    )
    draws = before.draw(500, seed=0)
    first, second = (estimate(one, draws)["one_shot"] for one in (before, after))
    lost = drop("one_shot", first, second).interval(0.95)
    alone = first.interval(0.95)
    assert lost.value == pytest.approx(first.value - second.value)
    assert lost.high - lost.low < 0.7 * (alone.high - alone.low)
