"""What two runs measured: metrics with intervals, sizes and latencies, and groups of images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from components.artifacts.decision import Candidate
from components.statistics.bootstrap import Interval
from pipelines.runs.leaderboard import Leaderboard


@dataclass(frozen=True)
class Figure:
    """One number of a variant in both runs.

    Attributes:
        variant: Name of the variant.
        figure: Name of the metric, ``size_bytes``, or ``p50_ms`` with the device.
        images: ``selection`` or ``sealed``; empty of what no images tell.
        group: The group of images; empty for all of them.
        before: ``value``, ``low`` and ``high`` in the first run; null where it was not measured.
        now: The same in the second.
        apart: Whether the intervals do not overlap.
    """

    variant: str
    figure: str
    images: str
    group: str
    before: Interval | None
    now: Interval | None
    apart: bool


@dataclass(frozen=True)
class MetricChanges:
    """What differs in what two runs measured.

    Attributes:
        winner: Names of the two winners; null where nothing kept the budgets, or nothing was
            chosen.
        figures: Numbers that differ, variants in the order of the second run.
        same: How many numbers are the same in both.
    """

    winner: tuple[str | None, str | None]
    figures: Sequence[Figure]
    same: int


FigureKey: TypeAlias = tuple[str, str, str, str]
"""Variant, figure, images and group: see ``Figure``."""


def compare_metrics(before: Leaderboard, now: Leaderboard) -> MetricChanges:
    """Compare the numbers of variants that both runs have; winners also on the sealed images."""
    one, other = dict(figures_of(before)), dict(figures_of(now))
    variants = [{key[0] for key in found} for found in (one, other)]
    both = variants[0] & variants[1]
    keys = [key for key in dict.fromkeys([*other, *one]) if key[0] in both]
    figures = [
        Figure(*key, one.get(key), other.get(key), are_apart(one.get(key), other.get(key)))
        for key in keys
        if one.get(key) != other.get(key)
    ]
    winners = [board.decision.winner if board.decision else None for board in (before, now)]
    return MetricChanges((winners[0], winners[1]), figures, len(keys) - len(figures))


def figures_of(board: Leaderboard) -> Iterator[tuple[FigureKey, Interval]]:
    """Yield every number that a run measured; nothing where it chose nothing."""
    if board.decision is None:
        return
    for variant in board.decision.variants:
        yield from _of_variant(variant)
    sealed = board.sealed
    if sealed is None:
        return
    reference, winner = board.decision.reference, board.decision.winner
    yield from _of_metrics(reference, sealed.teacher or {})
    if winner:
        yield from _of_metrics(winner, sealed.winner or {})
        if sealed.drop:
            yield (winner, "drop", "sealed", ""), _interval(sealed.drop)
        for group, result in (sealed.groups or {}).items():
            yield from _of_metrics(winner, result.get("metrics", {}), group)


def _of_variant(variant: Candidate) -> Iterator[tuple[FigureKey, Interval]]:
    name = variant.name
    for metric, interval in variant.metrics.items():
        yield (name, metric, "selection", ""), interval
    if variant.drop:
        yield (name, "drop", "selection", ""), variant.drop
    for group, result in variant.groups.items():
        for metric, interval in result.metrics.items():
            yield (name, metric, "selection", group), interval
    if variant.size_bytes is not None:
        size = float(variant.size_bytes)
        yield (name, "size_bytes", "", ""), Interval(size, size, size)
    for device, timing in variant.latency.items():
        if timing.p50_ms:
            yield (name, f"p50_ms on {device}", "", ""), timing.p50_ms


def _of_metrics(
    variant: str, metrics: Mapping[str, Any], group: str = ""
) -> Iterator[tuple[FigureKey, Interval]]:
    for metric, value in metrics.items():
        yield (variant, metric, "sealed", group), _interval(value)


def _interval(value: Mapping[str, Any]) -> Interval:
    return Interval(float(value["value"]), float(value["low"]), float(value["high"]))


def are_apart(before: Interval | None, now: Interval | None) -> bool:
    """Whether two intervals do not overlap; False where there is none."""
    if before is None or now is None:
        return False
    return before.high < now.low or now.high < before.low
