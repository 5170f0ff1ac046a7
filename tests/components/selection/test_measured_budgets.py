"""Budgets of devices on what was measured in fact, by this machine and by TensorFlow Lite Micro."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.artifacts.budgets import Budgets, DeviceLimit
from components.artifacts.decision import Decision
from components.artifacts.measurement import Measurement
from components.measure.timing import summarize
from components.selection import deciding
from components.selection.candidates import Reports, read_reports
from components.statistics.resampling import Resampling
from tests.components.flat import benchmark, flat
from tests.data.tiny_lite import write_lite
from tests.data.variants import Variant, write_variants

QUICK: dict[str, Any] = {"processes": 2, "blocks": 2, "block_ms": 1.0, "warm_up_ms": 1.0}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Measurement]:
    """A model on this machine and in TensorFlow Lite Micro."""
    folder = tmp_path_factory.mktemp("measured")
    model = write_lite(
        folder / "lite", np.random.default_rng(0).normal(size=(3, 64)), (8, 8, 1),
        classes=("a", "b", "c"),
    )  # fmt: skip
    benchmark(model, folder / "host", folder / "metrics", **QUICK, resamples=50)
    flat("benchmark_microcontroller")(
        model, folder / "chip", folder / "metrics", device="chip", images=2
    )
    return {name: Measurement.read(folder / name) for name in ("host", "chip")}


def decided(measured: dict[str, Measurement], budgets: Budgets, folder: Path) -> Decision:
    """Choose a variant whose evaluation is made up and whose measurements are those."""
    written = write_variants(folder, [Variant("teacher"), Variant("small", size_bytes=9000)])
    reports = deciding_reports(written, measured)
    return deciding.decide(
        reports, budgets, candidates=["small"], minimize="size",
        resampling=Resampling(resamples=50),
    )  # fmt: skip


def deciding_reports(written: Any, measured: dict[str, Measurement]) -> list[Reports]:
    found = read_reports(
        written.models, written.evaluations, written.benchmarks, names=written.names,
        devices=written.devices,
    )  # fmt: skip
    return [replace(one, benchmarks=measured) for one in found]


def test_worse_ends_of_real_measurements_decide(
    measured: dict[str, Measurement], tmp_path: Path
) -> None:
    summary, chip = measured["host"].summary, measured["chip"]
    assert summary
    assert summary.load_ms
    assert summary.load_high_ms == max(each.load_ms for each in measured["host"].processes)
    assert summary.load_high_ms >= summary.load_ms
    assert summary.peak_memory_bytes is not None
    assert chip.arena_bytes
    assert chip.flash_bytes
    worst: dict[DeviceLimit, float] = {
        "memory_mb": summary.peak_memory_bytes / 1e6, "arena_kb": chip.arena_bytes / 1024,
        "flash_kb": chip.flash_bytes / 1024,
    }  # fmt: skip
    just = decided(measured, Budgets("auc", 0.9, **worst), tmp_path / "just")
    assert just.winner == "small"
    for number, (key, value) in enumerate(worst.items()):
        less = Budgets("auc", 0.9, **{**worst, key: 0.99 * value})
        one = decided(measured, less, tmp_path / str(number)).variant("small")
        assert one.verdict == "over-budget"
        where = "host" if key == "memory_mb" else "chip"
        assert f" on {where} " in one.reason
    late = Budgets("auc", 0.9, load_ms=summary.load_ms / 100)  # under load it may be disturbed
    assert decided(measured, late, tmp_path / "late").winner is None
    assert (
        decided(measured, Budgets("auc", 0.9, load_ms=1e5), tmp_path / "early").ranking_differences
        is None
    )


def test_a_decision_is_read_as_it_was_written_and_earlier_ones_are_too(
    measured: dict[str, Measurement], tmp_path: Path
) -> None:
    budgets = Budgets("auc", 0.9, load_ms=1e5, by_device={"host": {"memory_mb": 100}})
    made = decided(measured, budgets, tmp_path)
    content = json.loads(json.dumps(made.to_json()))
    assert Decision.from_json(content) == made
    for key in ("load_ms", "memory_mb", "energy_mj", "arena_kb", "flash_kb", "by_device"):
        del content["budgets"][key]
    del content["ranking_differences"]
    for variant in content["variants"]:
        for timing in variant["latency"].values():
            for key in ("load_high_ms", "end_heat_c", "runtime", "accelerator"):
                del timing[key]
    earlier = Decision.from_json(content)
    assert earlier.budgets == Budgets("auc", 0.9)
    timing = earlier.variant("small").latency["host"]
    assert (timing.slowest_load_ms, earlier.ranking_differences) == (timing.load_ms, None)


def test_reports_of_earlier_versions_have_no_slowest_load(measured: dict[str, Measurement]) -> None:
    content = measured["host"].to_json()
    del content["summary"]["load_high_ms"]
    earlier = Measurement.from_json(content)
    assert earlier.summary
    assert earlier.summary.load_high_ms is None
    again = summarize(earlier.processes, Resampling(resamples=10))
    assert again.load_high_ms == measured["host"].summary.load_high_ms  # pyright: ignore[reportOptionalMemberAccess]
