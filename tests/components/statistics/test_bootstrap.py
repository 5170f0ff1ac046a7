"""Draws, intervals and weighted quantiles against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.statistics.bootstrap import (
    Estimate,
    Interval,
    draw,
    grouped_quantiles,
    quantile,
    weighted_quantiles,
)


def one_stratum(units: int) -> np.ndarray:
    return np.zeros(units, np.int64)


def test_every_draw_takes_as_many_units_as_there_are() -> None:
    counts = draw(one_stratum(7), 500, seed=1)
    assert counts.shape == (500, 7)
    assert (counts.sum(axis=1) == 7).all()
    assert (counts >= 0).all()


def test_draws_are_uniform_over_the_units() -> None:
    counts = draw(one_stratum(10), 4000, seed=3)
    assert counts.mean(axis=0) == pytest.approx(np.ones(10), abs=0.08)
    # A binomial of 10 draws with chance 1/10 has the variance 0.9.
    assert counts.var() == pytest.approx(0.9, abs=0.05)


def test_each_stratum_is_drawn_for_itself() -> None:
    strata = np.array([3, 1, 3, 1, 1, 8])
    counts = draw(strata, 300, seed=2)
    for stratum, size in ((3, 2), (1, 3), (8, 1)):
        assert (counts[:, strata == stratum].sum(axis=1) == size).all()
    assert set(counts[:, 0]) == {0, 1, 2}


def test_equal_seeds_draw_equally_and_others_do_not() -> None:
    assert (draw(one_stratum(9), 40, seed=5) == draw(one_stratum(9), 40, seed=5)).all()
    assert (draw(one_stratum(9), 40, seed=5) != draw(one_stratum(9), 40, seed=6)).any()


def test_a_draw_that_is_not_usable_is_drawn_again() -> None:
    counts = draw(one_stratum(3), 300, seed=0, usable=lambda weights: (weights > 0).sum(axis=1) > 1)
    assert ((counts > 0).sum(axis=1) > 1).all()
    assert (counts.sum(axis=1) == 3).all()
    # 1 in 9 draws of 3 takes one unit alone, so without the rule there are some.
    assert ((draw(one_stratum(3), 300, seed=0) > 0).sum(axis=1) == 1).any()


def test_data_on_which_nothing_is_usable_are_refused() -> None:
    with pytest.raises(ValueError, match="too few to resample"):
        draw(one_stratum(1), 10, seed=0, usable=lambda weights: (weights > 0).sum(axis=1) > 1)


def test_the_percentile_interval_holds_its_share() -> None:
    estimate = Estimate(50.0, np.arange(101, dtype=np.float64))
    assert estimate.interval(0.5) == Interval(50.0, 25.0, 75.0)


def test_a_difference_is_taken_resample_by_resample() -> None:
    noise = np.random.default_rng(0).normal(size=100)
    difference = Estimate(3.0, 3 + noise).minus(Estimate(1.0, 1 + noise))
    assert difference.value == 2.0
    assert difference.resampled == pytest.approx(np.full(100, 2.0))


def test_estimates_of_unequal_resamples_have_no_difference() -> None:
    with pytest.raises(ValueError, match="not paired"):
        Estimate(1.0, np.ones(3)).minus(Estimate(1.0, np.ones(4)))


@given(
    st.lists(st.tuples(st.integers(-5, 5), st.integers(0, 4)), min_size=1).filter(
        lambda rows: any(weight for _, weight in rows)
    ),
    st.floats(0, 1),
)
def test_a_weighted_quantile_is_that_of_the_values_repeated(
    rows: list[tuple[int, int]], share: float
) -> None:
    values = np.array([value for value, _ in rows], float)
    weights = np.array([[weight for _, weight in rows]], np.int32)
    repeated = np.sort(np.repeat(values, weights[0]))
    enough = np.arange(1, repeated.size + 1) >= share * repeated.size - 1e-9
    assert weighted_quantiles(values, weights, share)[0] == repeated[np.argmax(enough)]


@given(st.data(), st.floats(0, 1))
def test_a_quantile_of_groups_is_that_of_their_values(data: st.DataObject, share: float) -> None:
    groups = data.draw(st.lists(st.lists(st.integers(-5, 5), min_size=1), min_size=1, max_size=4))
    row = st.lists(st.integers(0, 3), min_size=len(groups), max_size=len(groups)).filter(any)
    weights = np.array(data.draw(st.lists(row, min_size=1, max_size=3)), np.int32)
    values, sizes = np.concatenate(groups).astype(float), [len(group) for group in groups]
    found = grouped_quantiles(values, sizes, weights, share)
    expected = weighted_quantiles(values, np.repeat(weights, sizes, axis=1), share)
    assert found.tolist() == expected.tolist()


def test_the_median_is_a_value_that_was_measured() -> None:
    assert quantile(np.array([4.0, 1.0, 3.0, 2.0]), 0.5) == 2.0
