"""Operators in words: of the winner, with their sum beside the p50, and notes once a device."""

from __future__ import annotations

from components.pages.operators import note_lines, operator_lines
from tests.components.pages.test_measurements import OPERATORS, with_timing
from tests.data.decisions import decision_of, variants


def test_where_the_time_of_the_winner_goes() -> None:
    listed = variants()
    decision = decision_of([with_timing(one, operators=OPERATORS.by_kind()) for one in listed])
    (told,) = operator_lines(decision)
    assert told == (
        f"time of {decision.winner} on host: CONV_2D 75%, SOFTMAX 25% (all operators: 1.2 ms, "
        "80% of the p50; a profiler)"
    )
    assert list(operator_lines(decision_of(listed))) == []


def test_notes_are_said_once_a_device() -> None:
    listed = [with_timing(one, notes=("an app may differ",)) for one in variants()]
    assert list(note_lines(decision_of(listed))) == ["host: an app may differ"]
