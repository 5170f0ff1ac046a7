"""Budgets: which of them a candidate breaks, and in which words."""

from __future__ import annotations

import math
from collections.abc import Iterator

from components.artifacts.budgets import Budgets
from components.artifacts.decision import Candidate
from components.selection.device_budgets import Breach, device_breaches
from components.statistics.bootstrap import Interval
from components.statistics.quantities import (
    MEGABYTE,
    decimal,
    distinct_digits,
    exact_places,
    with_interval,
)
from components.statistics.units import size_writer

DROP_SCALE = 0.01
"""What a drop beyond a budget of zero is measured against when near misses are ordered."""


def breaches_of(candidate: Candidate, budgets: Budgets) -> Iterator[Breach]:
    """Yield every budget that is not kept, in the order in which people ask."""
    if candidate.drop and candidate.drop.high > budgets.drop:
        yield drop_breach(candidate.drop, budgets.drop)
    yield from device_breaches(candidate, budgets)
    allowed = budgets.size_bytes
    size = candidate.size_bytes
    if allowed is not None and size is not None and size > allowed:
        write = size_writer(size)
        digits = distinct_digits(size, allowed, write)
        yield Breach(
            f"{write(size, digits)} > {write(allowed, digits)}",
            size / allowed - 1 if allowed else math.inf,
            budget="size",
            allowed="size_mb: {} under budgets:",
            needed=size / MEGABYTE,
        )


def drop_breach(drop: Interval, limit: float) -> Breach:
    """Say that a drop does not keep to its budget: certainly, or only possibly."""
    places = distinct_digits(drop.high, limit, decimal, exact_places(limit))
    verb = "exceeds" if drop.low > limit else "may exceed"
    return Breach(
        f"drop {with_interval(drop, places)} {verb} {decimal(limit, places)}",
        (drop.high - limit) / max(limit, DROP_SCALE),
        budget="drop",
        allowed="drop: {} under budgets:",
        needed=drop.high,
    )
