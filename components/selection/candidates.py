"""Contender: one variant as it was measured, and the budgets that it has to keep."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from components.statistics.bootstrap import Interval
from components.statistics.quantities import (
    MEGABYTE,
    apart,
    decimal,
    exact_places,
    megabytes,
    milliseconds,
    spread,
)

DROP_SCALE = 0.01
"""What a drop beyond a budget of zero is measured against when near misses are ordered."""


@dataclass(frozen=True)
class Budgets:
    """What a variant must keep to.

    Attributes:
        metric: Name of the metric whose drop against the reference counts.
        drop: Largest drop, in units of the metric; 0.01 is one point of AUC or accuracy.
        size_mb: Largest file in units of 1,000,000 bytes, or None for no limit.
        latency_ms: Longest steady median inference on every device, or None for no limit.
    """

    metric: str
    drop: float
    size_mb: float | None = None
    latency_ms: float | None = None

    @property
    def size_bytes(self) -> int | None:
        """The size budget in bytes."""
        return None if self.size_mb is None else round(self.size_mb * MEGABYTE)


@dataclass(frozen=True)
class Latency:
    """How fast a variant was on one device.

    Attributes:
        p50_ms: Median of steady inferences with its interval; None after a crash.
        verdict: Whether the measurement can be believed.
        evidence: What the verdict rests on, in words.
    """

    p50_ms: Interval | None
    verdict: Literal["stable", "disturbed", "crashed"]
    evidence: str = ""


@dataclass(frozen=True)
class Contender:
    """One variant as it was measured.

    Attributes:
        name: The user's name for it.
        candidate: Whether it may win.
        size_bytes: Length of its ``.tflite`` file.
        gzip_bytes: Length of that file after gzip.
        drop: Metric of the reference minus its own, oriented so that more is worse, with the
            paired interval; None when one of the two has no metric.
        latency: By device.
        failure: Why it cannot be used at all, or None.
    """

    name: str
    candidate: bool
    size_bytes: int
    gzip_bytes: int
    drop: Interval | None
    latency: Mapping[str, Latency]
    failure: str | None = None

    @property
    def slowest_ms(self) -> float:
        """Upper end of the median's interval on the slowest device; infinite when unknown."""
        ends = [item.p50_ms.high if item.p50_ms else math.inf for item in self.latency.values()]
        return max(ends, default=math.inf)

    @property
    def crash(self) -> str | None:
        """What stopped it, wherever it died first."""
        if self.failure:
            return self.failure
        crashed = (
            f"crashed on {device}: {item.evidence}"
            for device, item in self.latency.items()
            if item.verdict == "crashed"
        )
        return next(crashed, None)

    def doubt(self, *, timed: bool) -> str | None:
        """Say what is not known of it, or None; a latency counts only where it decides anything."""
        if self.drop is None:
            return "the reference gave no answers to compare with, so its drop is unknown"
        for device, item in self.latency.items():
            if timed and item.verdict == "disturbed":
                return f"disturbed on {device}: {item.evidence or 'no quiet moment'}"
        return None


@dataclass(frozen=True)
class Breach:
    """One budget that a variant does not keep.

    Attributes:
        text: The sentence.
        excess: By which part of the budget it is missed; 0.5 is half as much again.
        certain: False when it rests on a disturbed measurement.
    """

    text: str
    excess: float
    certain: bool = True


def breaches_of(one: Contender, budgets: Budgets) -> Iterator[Breach]:
    """Yield every budget that is not kept, in the order in which people ask."""
    if one.drop and one.drop.high > budgets.drop:
        yield drop_breach(one.drop, budgets.drop)
    limit = budgets.latency_ms
    if limit is not None:
        for device, item in one.latency.items():
            if item.p50_ms and item.p50_ms.high > limit:
                high = item.p50_ms.high
                digits = apart(high, limit, milliseconds)
                where = f" on {device}" if len(one.latency) > 1 else ""
                yield Breach(
                    f"p50{where} up to {milliseconds(high, digits)} > "
                    f"{milliseconds(limit, digits)}",
                    high / limit - 1,
                    certain=item.verdict == "stable",
                )
    allowed = budgets.size_bytes
    if allowed is not None and one.size_bytes > allowed:
        digits = apart(one.size_bytes, allowed, megabytes, 2)
        yield Breach(
            f"{megabytes(one.size_bytes, digits)} > {megabytes(allowed, digits)}",
            one.size_bytes / allowed - 1 if allowed else math.inf,
        )


def drop_breach(drop: Interval, limit: float) -> Breach:
    """Say that a drop does not keep to its budget: certainly, or only possibly."""
    places = apart(drop.high, limit, decimal, exact_places(limit))
    verb = "exceeds" if drop.low > limit else "may exceed"
    return Breach(
        f"drop {spread(drop.value, drop.low, drop.high, places)} {verb} {decimal(limit, places)}",
        (drop.high - limit) / max(limit, DROP_SCALE),
    )
