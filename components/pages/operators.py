"""Operators in words: which kinds take most of an inference, and what that is worth."""

from __future__ import annotations

from collections.abc import Iterator

from components.artifacts.decision import Decision
from components.artifacts.operators import OperatorTimes
from components.statistics.quantities import short_time

MOST_KINDS, LEAST_SHARE = 3, 0.05
"""Kinds that are named, and what each of them takes at least of all."""


def operator_shares(times: OperatorTimes) -> tuple[str, str] | None:
    """Return the kinds that take most, and what all of them are of the p50; None if unknown.

    Args:
        times: Of one variant on one device.
    """
    if not times.operators or not times.sum_ms:
        return None
    most = [each for each in times.operators if each.ms >= LEAST_SHARE * times.sum_ms]
    shares = ", ".join(f"{each.kind} {each.ms / times.sum_ms:.0%}" for each in most[:MOST_KINDS])
    of_p50 = "" if times.of_p50 is None else f", {times.of_p50:.0%} of the p50"
    return shares, f"all operators: {short_time(times.sum_ms)}{of_p50}; {times.source}"


def operator_lines(decision: Decision) -> Iterator[str]:
    """Say where the time of the winner goes, or of the reference where there is none.

    Args:
        decision: What was found.
    """
    name = decision.winner or decision.reference
    for device, timing in decision.variant(name).latency.items():
        if timing.operators and (told := operator_shares(timing.operators)):
            yield f"time of {name} on {device}: {told[0]} ({told[1]})"


def note_lines(decision: Decision) -> Iterator[str]:
    """Say what has to be known of the numbers of each device, once."""
    for device in decision.devices:
        timed = [one.latency[device] for one in decision.variants if device in one.latency]
        for note in dict.fromkeys(note for timing in timed for note in timing.notes):
            yield f"{device}: {note}"
