import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.statistics import quantities
from components.statistics.bootstrap import Interval


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (131.6, "132"), (0.0314159, "0.0314"), (1.9, "1.9"), (1234567, "1,234,567"), (0, "0"),
        (100, "100"), (-0.25, "-0.25"), (1e-9, "0.000000001"),
    ],
)  # fmt: skip
def test_significant(value, text):
    assert quantities.significant(value) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(999, "999 B"), (780_680, "781 kB"), (2_240_436, "2.24 MB"), (95_000_000_000, "95 GB")],
)
def test_a_megabyte_is_a_million_bytes(count, text):
    assert quantities.short_bytes(count) == text


def test_decimals_have_no_negative_zero():
    assert quantities.decimal(-0.0001) == "0.000"
    assert quantities.with_interval(Interval(0.0311, 0.012, 0.052)) == "0.031 (0.012 to 0.052)"


@given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6))
def test_different_numbers_are_told_apart(one, other):
    digits = quantities.distinct_digits(one, other, quantities.milliseconds)
    texts = [quantities.milliseconds(each, digits) for each in (one, other)]
    assert (texts[0] == texts[1]) == (one == other) or digits == 17


@pytest.mark.parametrize(("value", "places"), [(0.01, 3), (0.0001, 4), (0.02, 3), (0.0125, 4)])
def test_a_budget_is_written_as_it_was_given(value, places):
    assert quantities.exact_places(value) == places
