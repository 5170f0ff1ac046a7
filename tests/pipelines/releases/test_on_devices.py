"""What a challenger takes on devices, against what the champion had to keep there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from components.artifacts.budgets import Budgets
from components.artifacts.measurement import Energy
from components.release.manifest import selection_of
from components.statistics.bootstrap import Interval
from pipelines.releases.on_devices import held_on_devices
from tests.data.decisions import decision_of, variants


def manifest(**changes: Any) -> dict[str, Any]:
    """What a release says of its numbers on devices, as publish writes it."""
    good = variants()[1]
    host = replace(
        good.latency["host"], load_ms=4.0, load_high_ms=5.0, peak_memory_bytes=2_000_000,
        energy=Energy("CPU package", Interval(3.0, 2.0, 4.0), ""), **changes,
    )  # fmt: skip
    chip = replace(host, p50_ms=None, load_ms=None, load_high_ms=None, peak_memory_bytes=None,
                   energy=None, arena_bytes=20_480, flash_bytes=30_720)  # fmt: skip
    won = replace(good, latency={"host": host, "chip": chip})
    return {"selection": selection_of(won, decision_of().split)}


def held(challenger: dict[str, Any], **limits: Any) -> tuple[list[str], list[str]]:
    return held_on_devices(challenger, manifest(), Budgets("accuracy", 0.02, **limits))


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        ({"latency_ms": 1.5}, "its latency on host, 1.500 (1.425 to 1.575) ms, may exceed the 1.500 ms"),
        ({"load_ms": 4.5}, "its load on host, 5 ms, may exceed the 4.5 ms"),
        ({"memory_mb": 1.5}, "its peak memory on host, 2 MB, may exceed the 1.5 MB"),
        ({"energy_mj": 3.5}, "its energy on host, 4 mJ, may exceed the 3.5 mJ"),
        ({"arena_kb": 19}, "its arena on chip, 20 KiB, may exceed the 19 KiB"),
        ({"by_device": {"chip": {"flash_kb": 29}}}, "its flash on chip, 30 KiB, may exceed the 29 KiB"),
    ],
)  # fmt: skip
def test_a_worse_end_beyond_the_champion_s_budget_speaks_against_it(
    limits: dict[str, Any], sentence: str
) -> None:
    against, doubts = held(manifest(), **limits)
    assert against == [f"{sentence} that the champion had to keep"]
    assert doubts == []


def test_what_keeps_the_budgets_is_let_through() -> None:
    kept = {"latency_ms": 1.6, "load_ms": 5, "memory_mb": 2, "energy_mj": 4, "arena_kb": 20}
    assert held(manifest(), **kept) == ([], [])
    assert held(manifest(), latency_ms=1, by_device={"host": {"latency_ms": 2}}) == ([], [])


def test_what_was_not_measured_is_a_doubt() -> None:
    unmetered = manifest()
    del unmetered["selection"]["devices"]["host"]["mj_per_inference"]
    _, doubts = held(unmetered, energy_mj=9)
    assert doubts == ["its energy on host was not measured, and the champion had to keep a limit"]
    earlier = manifest()
    del earlier["selection"]["devices"]  # of an earlier version
    assert held(earlier, arena_kb=64)[1] == [
        "its arena on chip was not measured, and the champion had to keep a limit"
    ]
    assert held({"selection": 5}, latency_ms=9)[1] == [
        "its latency on host was not measured, and the champion had to keep a limit"
    ]
