import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.pages.charts.axes import Scale, exact, padded

positive = st.floats(1e-6, 1e6)


@given(positive, st.floats(1.01, 1e6), st.integers(2, 9), st.booleans())
def test_ticks_lie_within_and_rise(low, ratio, most, log):
    scale = Scale(low, low * ratio, 0, 100, log=log)
    ticks = scale.ticks(most)
    assert len(ticks) <= most + 2
    assert ticks == sorted(set(ticks))
    assert all(low * 0.999999 <= tick <= low * ratio * 1.000001 for tick in ticks)


@given(st.floats(0.01, 1000), st.floats(1.0005, 1e4), st.integers(2, 9), st.booleans())
def test_what_stands_at_a_tick_is_where_it_stands(low, ratio, most, log):
    ticks = Scale(low, low * ratio, 0, 100, log=log).ticks(most)
    assert [float(exact(tick).replace(",", "")) for tick in ticks] == pytest.approx(ticks, rel=1e-9)
    assert len({exact(tick) for tick in ticks}) == len(ticks)


@given(positive, st.floats(1.01, 1e6), st.floats(0, 1), st.booleans())
def test_a_scale_runs_from_start_to_end_and_never_leaves(low, ratio, share, log):
    scale = Scale(low, low * ratio, 300, 20, log=log)
    assert scale(scale.low) == pytest.approx(300)
    assert scale(scale.high) == pytest.approx(20)
    assert 20 - 1e-6 <= scale(low * ratio * 2 * share) <= 300 + 1e-6


def test_a_logarithmic_scale_puts_equal_ratios_at_equal_distances():
    scale = Scale(1, 100, 0, 10, log=True)
    assert scale(10) == pytest.approx(5)
    assert scale.ticks(9) == [1, 2, 5, 10, 20, 50, 100]
    assert Scale(1, 1e6, 0, 10, log=True).ticks(9) == [1, 10, 100, 1e3, 1e4, 1e5, 1e6]


@given(st.lists(positive, min_size=1), st.booleans())
def test_padding_leaves_air_even_around_a_single_number(values, log):
    low, high = padded(values, log=log)
    assert low < min(values)
    assert max(values) < high
    assert not log or low > 0
