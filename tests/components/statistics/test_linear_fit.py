"""Fits that find the law, say how wrong they are, and never pay for more of something."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from components.statistics.linear_fit import LinearFit, fitted, rank_correlation

NAMES = ("macs", "layers")


def networks(count: int, seed: int) -> list[dict[str, float]]:
    random = np.random.default_rng(seed)
    return [
        {"macs": float(random.uniform(1e4, 1e6)), "layers": float(random.integers(4, 40))}
        for _ in range(count)
    ]


def time_of(network: dict[str, float]) -> float:
    return 0.003 + 1.6e-9 * network["macs"] + 0.0002 * network["layers"]


def test_a_linear_law_is_found() -> None:
    known = networks(20, seed=0)
    fit = fitted(known, [time_of(one) for one in known], NAMES)
    assert fit.constant == pytest.approx(0.003)
    assert fit.weights == pytest.approx({"macs": 1.6e-9, "layers": 0.0002})
    assert fit.median_error < 1e-9
    assert fit.rank_correlation == pytest.approx(1)
    for one in networks(5, seed=1):
        assert fit.predict(one) == pytest.approx(time_of(one))


def test_the_error_is_that_of_what_was_left_out() -> None:
    random, known = np.random.default_rng(2), networks(20, seed=0)
    noisy = [time_of(one) * random.lognormal(0, 0.1) for one in known]
    told, unseen = fitted(known, noisy, NAMES), networks(200, seed=3)
    errors = [abs(told.predict(one) / time_of(one) - 1) for one in unseen]
    assert 0.02 < told.median_error < 0.2
    assert float(np.median(errors)) < told.median_error  # the unseen ones have no noise


def test_nothing_makes_less_of_a_cost() -> None:
    """Of two counts that go together, least squares would give one a negative weight."""
    random = np.random.default_rng(0)
    macs = random.uniform(1, 10, 12)
    known = [{"macs": float(one), "layers": float(one + random.normal(0, 0.1))} for one in macs]
    values = [float(each["macs"] * 3 - each["layers"]) for each in known]
    fit = fitted(known, values, NAMES)
    assert fit.constant >= 0
    assert all(weight >= 0 for weight in fit.weights.values())
    assert fit.predict(known[0]) == pytest.approx(values[0], rel=0.2)


def test_a_fit_to_noise_says_so() -> None:
    random = np.random.default_rng(5)
    fit = fitted(networks(30, seed=0), list(random.uniform(1, 10, 30)), NAMES)
    assert fit.rank_correlation < 0.5
    assert fit.median_error > 0.2


def test_ranks_are_those_of_scipy() -> None:
    random = np.random.default_rng(0)
    one, other = random.integers(0, 6, 40), random.normal(size=40)
    assert rank_correlation(one, other) == pytest.approx(spearmanr(one, other).statistic)
    assert rank_correlation([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]) == 0


def test_a_constant_orders_nothing() -> None:
    """The mutation: what predicts the same of everything has no rank correlation."""
    constant = LinearFit(1.0, {"macs": 0.0, "layers": 0.0}, 0.0, 0.0)
    unseen = networks(20, seed=1)
    predicted = [constant.predict(one) for one in unseen]
    assert rank_correlation(predicted, [time_of(one) for one in unseen]) < 0.9
