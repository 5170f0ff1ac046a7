"""Identity: equal values have equal digests, and nothing unhashable slips through."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.contract.digests import canonical_json, digest

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), JSON, max_size=5))
def test_order_of_keys_does_not_count(value):
    shuffled = dict(reversed(value.items()))
    assert canonical_json(value) == canonical_json(shuffled)
    assert digest("a", value) == digest("a", shuffled)


@given(JSON, JSON)
def test_different_values_have_different_digests(one, other):
    assert (canonical_json(one) == canonical_json(other)) == (
        digest("a", one) == digest("a", other)
    )


def test_the_kind_counts():
    assert digest("tree", []) != digest("step", [])


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, {1: 2}, {1, 2}, b"x", Path("x"), [object()], {"a": {"b": math.nan}}],
)
def test_what_has_no_canonical_form_is_refused_and_located(value):
    with pytest.raises(TypeError, match=r"\$"):
        canonical_json(value)


def test_true_is_not_one():
    assert digest("a", True) != digest("a", 1)
    assert digest("a", 1) != digest("a", 1.0)
