"""Widths that are left, and which channels go first."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from components.ml.graphs.channels import Channels, Group
from components.ml.techniques.channel_selection import least, selected, widths


def channels(*sizes: int) -> Channels:
    ends = np.cumsum((0, *sizes))
    groups = [
        Group((f"layer{at}",), np.arange(ends[at], ends[at + 1]), 1, None)
        for at in range(len(sizes))
    ]
    return Channels({}, tuple(groups), int(ends[-1]))


@given(units=st.integers(1, 300), per_unit=st.integers(1, 16), multiple=st.integers(1, 16))
def test_what_is_left_is_a_multiple_of_it_or_all(units: int, per_unit: int, multiple: int) -> None:
    allowed = widths(units, per_unit, multiple)
    assert allowed[0] == units
    assert allowed == sorted(set(allowed), reverse=True)
    assert all(left * per_unit % multiple == 0 and left > 0 for left in allowed[1:])


def test_widths_that_were_none_become_multiples() -> None:
    assert widths(20, 1, 8) == [20, 16, 8]
    assert widths(8, 1, 8) == [8]
    assert widths(7, 1, 8) == [7]
    assert widths(24, 4, 8) == [24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2]


def test_the_least_important_go_first_whatever_the_size_of_their_group() -> None:
    both = channels(16, 32)
    scores = {0: np.linspace(1, 2, 16) * 1000, 1: np.linspace(0.1, 2, 32)}
    keep_u = selected(both, scores, 8, lambda keep_u: int(keep_u.sum()) <= 40)
    assert not keep_u[16:24].any()
    assert keep_u.sum() == 40
    keep_u = selected(both, scores, 8, lambda keep_u: int(keep_u.sum()) <= 24)
    assert keep_u.sum() == 24
    assert keep_u[15]
    assert keep_u[47]


def test_no_more_goes_than_is_needed_and_all_that_may_where_it_is_not_enough() -> None:
    one = channels(30)
    assert selected(one, {0: np.arange(30.0)}, 8, lambda _: True).all()
    assert selected(one, {0: np.arange(30.0)}, 8, lambda _: False).sum() == 8
    assert least(channels(30, 5), [0, 1], 8).sum() == 8 + 5
    assert least(channels(30, 5), [1], 1).sum() == 30 + 1
