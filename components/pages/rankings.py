"""Rankings: which variants are the faster ones on one device and the slower ones on another."""

from __future__ import annotations

from dataclasses import dataclass

from components.artifacts.decision import Decision, RankingDifference
from components.pages.words import count, ends_ms
from components.statistics.quantities import short_time

SHOWN = 8
"""Pairs that a page lists; ``decision.json`` has all."""


@dataclass(frozen=True)
class RankingTable:
    """Where devices rank variants differently.

    Attributes:
        note: That in a sentence, or that there is no such pair.
        heads: Titles of the columns: the devices that timed anything.
        rows: Names of two variants, and for each device which is the faster one, and below it what
            the two take; a dash where neither is for certain.
    """

    note: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]


def ranking_table(decision: Decision) -> RankingTable | None:
    """Return where devices rank variants differently; None with fewer than two timed devices."""
    found = decision.ranking_differences
    if found is None:
        return None
    devices = tuple(
        device
        for device in decision.devices
        if any(device in one.latency and one.latency[device].p50_ms for one in decision.variants)
    )
    *first, last = devices
    both = f"{', '.join(first)} and {last}"
    if not found:
        note = f"Between {both}, no two variants change places for certain."
        return RankingTable(note, devices, ())
    pairs = count(len(found), "pair")
    verb = "changes" if len(found) == 1 else "change"
    note = (
        f"Between {both}, {pairs} of variants {verb} places for certain: the intervals of their "
        "medians do not overlap, and the slower one was stable."
    )
    if len(found) > SHOWN:
        note += f" The {SHOWN} first are shown; decision.json has all."
    rows = tuple(_row(decision, devices, difference) for difference in found[:SHOWN])
    return RankingTable(note, devices, rows)


def _row(
    decision: Decision, devices: tuple[str, ...], pair: RankingDifference
) -> tuple[str, tuple[tuple[str, str], ...]]:
    cells = tuple(_cell(decision, device, pair) for device in devices)
    return f"{pair.one}, {pair.other}", cells


def _cell(decision: Decision, device: str, pair: RankingDifference) -> tuple[str, str]:
    if device in pair.one_faster:
        fast, slow = pair.one, pair.other
    elif device in pair.other_faster:
        fast, slow = pair.other, pair.one
    else:
        return "\N{EN DASH}", "no certain order"
    taken = [decision.variant(name).latency[device].p50_ms for name in (fast, slow)]
    told = [f"{short_time(p50.value)} ({ends_ms(p50)})" for p50 in taken if p50]
    return f"{fast} is faster", " against ".join(told)
