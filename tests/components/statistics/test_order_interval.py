"""Order interval: how often it holds the median, counted on real draws."""

import numpy as np
import pytest

from components.statistics.order_interval import left_out, median_by_order


@pytest.mark.parametrize(("count", "cut"), [(5, None), (6, 0), (8, 0), (9, 1), (11, 1), (12, 2)])
def test_how_many_are_left_out(count, cut):
    assert left_out(count, 0.95) == cut


def test_it_holds_the_median_as_often_as_it_says():
    random = np.random.default_rng(0)
    held = 0
    for _ in range(4000):
        found = median_by_order(list(random.exponential(size=11)), 0.95)
        assert found is not None
        held += found.low <= np.log(2) <= found.high
    assert held / 4000 == pytest.approx(0.988, abs=0.006)


def test_too_few_have_none():
    assert median_by_order([1.0, 2.0, 3.0], 0.95) is None
