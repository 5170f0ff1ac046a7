"""Operators: kinds that take most, and the rest as one line."""

import pytest

from components.artifacts.operators import OperatorTime, OperatorTimes


def test_kinds_are_summed_up_and_the_rest_is_one():
    listed = [OperatorTime(f"K{number % 9}", 1.0 + number % 9) for number in range(18)]
    times = OperatorTimes.told("a profiler", 10, listed, 100.0)
    found = times.by_kind(3)
    assert [(each.kind, each.ms, each.count) for each in found.operators] == [
        ("K8", 18.0, 2), ("K7", 16.0, 2), ("K6", 14.0, 2), ("others", 42.0, 12),
    ]  # fmt: skip
    assert found.sum_ms == times.sum_ms == pytest.approx(90.0)
    assert found.of_p50 == pytest.approx(0.9)


def test_a_rest_of_one_keeps_its_name():
    listed = [OperatorTime("A", 3.0), OperatorTime("B", 2.0), OperatorTime("C", 1.0)]
    found = OperatorTimes.told("a profiler", 10, listed, None).by_kind(2)
    assert [each.kind for each in found.operators] == ["A", "B", "C"]
    assert found.of_p50 is None
