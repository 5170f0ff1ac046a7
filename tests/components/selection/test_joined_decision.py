"""Choices for several devices as one: the best verdict, reasons by device, all limits."""

from __future__ import annotations

from dataclasses import replace

from components.artifacts.budgets import Budgets
from components.artifacts.decision import Candidate, Decision, NearMiss, Timing
from components.selection.joined_decision import joined
from components.statistics.bootstrap import Interval
from tests.pipelines.runs.kept_run import DECISION, SMALL, TEACHER

WIDE = replace(SMALL, name="wide", size_bytes=20_000, verdict="kept", reason="larger")


def timed(one: Candidate, device: str, ms: float) -> Candidate:
    timing = Timing(Interval(ms, ms - 0.01, ms + 0.01), None, 1.0, 2.0, "stable", "quiet")
    return replace(one, latency={device: timing})


def choice(
    device: str, winner: str | None, times: tuple[float, float], notes: tuple[str, ...] = ()
) -> Decision:
    variants = [timed(TEACHER, device, 9.0)]
    for one, ms in zip((SMALL, WIDE), times, strict=True):
        won = one.name == winner
        variants.append(
            replace(
                timed(one, device, ms),
                verdict="winner" if won else "over-budget",
                reason="the fastest" if won else f"p50 up to {ms} ms",
                peak_memory_bytes=int(ms * 1_000),
            )
        )
    return replace(
        DECISION, winner=winner, reason=f"{winner} is the fastest", variants=tuple(variants),
        budgets=Budgets("auc", 0.01, latency_ms=1.0), near_misses=(), notes=notes,
    )  # fmt: skip


def test_a_variant_has_its_best_verdict_and_its_reasons_by_device() -> None:
    both = joined(
        {
            "board": choice("board", "student-int8", (0.2, 3.0), notes=("weak", "here alone")),
            "s21": choice("s21", "wide", (2.0, 0.3), notes=("weak",)),
        }
    )
    small, wide = both.variants[1:]
    assert (small.verdict, wide.verdict) == ("winner", "winner")
    assert small.reason == "board: the fastest; s21: p50 up to 2.0 ms"
    assert list(small.latency) == ["board", "s21"]
    assert small.peak_memory_bytes == 2_000
    assert both.winner == "student-int8"
    assert both.reason == "board: student-int8 is the fastest; s21: wide is the fastest"
    assert both.notes == ("weak", "board: here alone")
    assert both.ranking_differences
    assert both.ranking_differences[0].one == "student-int8"


def test_all_limits_are_there_each_on_its_device() -> None:
    own = {"s21": {"latency_ms": 0.5}}
    board = choice("board", "student-int8", (0.2, 3.0))
    phone = replace(
        choice("s21", None, (2.0, 3.0)), budgets=Budgets("auc", 0.01, load_ms=9.0, by_device=own)
    )
    budgets = joined({"board": board, "s21": phone}).budgets
    assert (budgets.latency_ms, budgets.load_ms, budgets.by_device) == (1.0, 9.0, own)


def test_the_winner_is_of_the_first_device_that_has_one_else_there_are_near_misses() -> None:
    missed = (NearMiss("wide", 0.5, "too slow"),)
    none = replace(choice("board", None, (2.0, 3.0)), near_misses=missed)
    some = choice("s21", "wide", (2.0, 0.3))
    assert joined({"board": none, "s21": some}).winner == "wide"
    assert joined({"board": none, "s21": some}).near_misses == ()
    neither = joined({"board": none, "s21": replace(none, near_misses=missed)})
    assert neither.winner is None
    assert [miss.reason for miss in neither.near_misses] == ["board: too slow", "s21: too slow"]
