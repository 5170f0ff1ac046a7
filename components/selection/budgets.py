"""Budgets: which of them a candidate breaks, and in which words."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from components.artifacts.budgets import Budgets
from components.artifacts.decision import Candidate
from components.statistics.bootstrap import Interval
from components.statistics.quantities import (
    decimal,
    distinct_digits,
    exact_places,
    megabytes,
    milliseconds,
    with_interval,
)

DROP_SCALE = 0.01
"""What a drop beyond a budget of zero is measured against when near misses are ordered."""


@dataclass(frozen=True)
class Breach:
    """One budget that a candidate does not keep.

    Attributes:
        text: The sentence.
        excess: By which part of the budget it is missed; 0.5 is half as much again.
        certain: False when it rests on a disturbed measurement.
    """

    text: str
    excess: float
    certain: bool = True


def breaches_of(candidate: Candidate, budgets: Budgets) -> Iterator[Breach]:
    """Yield every budget that is not kept, in the order in which people ask."""
    if candidate.drop and candidate.drop.high > budgets.drop:
        yield drop_breach(candidate.drop, budgets.drop)
    limit = budgets.latency_ms
    if limit is not None:
        for device, timing in candidate.latency.items():
            if timing.p50_ms and timing.p50_ms.high > limit:
                high = timing.p50_ms.high
                digits = distinct_digits(high, limit, milliseconds)
                where = f" on {device}" if len(candidate.latency) > 1 else ""
                yield Breach(
                    f"p50{where} up to {milliseconds(high, digits)} > "
                    f"{milliseconds(limit, digits)}",
                    high / limit - 1,
                    certain=timing.verdict == "stable",
                )
    allowed = budgets.size_bytes
    size = candidate.size_bytes
    if allowed is not None and size is not None and size > allowed:
        digits = distinct_digits(size, allowed, megabytes, 2)
        yield Breach(
            f"{megabytes(size, digits)} > {megabytes(allowed, digits)}",
            size / allowed - 1 if allowed else math.inf,
        )


def drop_breach(drop: Interval, limit: float) -> Breach:
    """Say that a drop does not keep to its budget: certainly, or only possibly."""
    places = distinct_digits(drop.high, limit, decimal, exact_places(limit))
    verb = "exceeds" if drop.low > limit else "may exceed"
    return Breach(
        f"drop {with_interval(drop, places)} {verb} {decimal(limit, places)}",
        (drop.high - limit) / max(limit, DROP_SCALE),
    )
