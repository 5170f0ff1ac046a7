"""Benchmark browser: a model timed in a real Chromium with LiteRT.js from npm."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.artifacts.browser import BrowserReport
from components.artifacts.measurement import Measurement
from components.contract.closure import code_files
from components.contract.errors import UserError
from components.contract.interface import interface_of
from components.devices.browser.chromium import chromium_path
from components.devices.browser.litertjs import VERSION
from tests.components.flat import flat
from tests.data.tiny_lite import write_lite

QUICK: dict[str, Any] = {
    "processes": 1, "blocks": 3, "block_ms": 5.0, "warm_up_ms": 5.0, "resamples": 50,
}  # fmt: skip


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        chromium_path()
    except UserError as error:
        pytest.skip(f"{error.what}: {error.fix}")
    if shutil.which("npm") is None:
        pytest.skip("there is no npm: apt-get install npm")
    return tmp_path_factory.mktemp("litertjs")


@pytest.fixture(scope="module")
def reports(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, float]]:
    root = tmp_path_factory.mktemp("browser")
    weights = np.random.default_rng(0).normal(size=(8, 64))
    model = write_lite(root / "lite", weights, (8, 8, 1))
    flat("benchmark_browser")(
        model,
        root / "report",
        root / "metrics",
        device="chrome",
        dir=str(cache),
        threads=2,
        **QUICK,
    )
    return root / "report", json.loads((root / "metrics").read_bytes())


def test_a_model_is_timed_in_a_page(reports: tuple[Path, dict[str, float]]) -> None:
    found = Measurement.read(reports[0])
    assert found.crashed is None
    assert found.verdict in ("stable", "disturbed")
    assert found.summary is not None
    p50 = found.summary.p50_ms
    assert 0 < p50.low <= p50.value <= p50.high < 100
    assert found.summary.load_ms is not None
    assert found.summary.load_ms > reports[1]["runtime_ms"] > 0, "the cold load has the runtime"
    assert (found.device.kind, found.device.transport) == ("browser", "loopback")
    assert "Chrom" in found.device.fingerprint["browser"]
    assert found.runtime["name"] == "@litertjs/core"
    assert (found.runtime["version"], found.runtime["source"]) == (VERSION, "npm")
    assert found.accelerator is not None
    assert found.accelerator.evidence == "litert_wasm_threaded_internal.wasm"
    assert len(found.processes[0].blocks) == 3
    assert found.processes[0].machine["own_cpu_ms"] > 0


def test_the_page_has_threads_and_its_downloads_are_counted(
    reports: tuple[Path, dict[str, float]],
) -> None:
    told = BrowserReport.read(reports[0])
    assert told.isolated
    assert told.threads == 2
    assert "core/wasm/litert_wasm_threaded_internal.wasm" in told.files
    assert len(set(told.files)) == len(told.files)
    assert told.runtime.raw > 9_000_000 > told.runtime.gzip > told.runtime.brotli > 1_000_000
    assert told.model.raw == Measurement.read(reports[0]).size_bytes
    assert reports[1]["wire_gzip_bytes"] == told.runtime.gzip + told.model.gzip


def test_no_process_and_no_folder_is_left(reports: tuple[Path, dict[str, float]]) -> None:
    del reports
    lines = [path.read_bytes() for path in commands()]
    assert not [line for line in lines if b"slimline-browser-" in line]
    assert not list(Path(tempfile.gettempdir()).glob("slimline-browser-*"))


def commands() -> list[Path]:
    return [path for path in Path("/proc").glob("[0-9]*/cmdline") if path.parent.exists()]


def test_a_model_that_the_runtime_refuses_is_an_answer(cache: Path, tmp_path: Path) -> None:
    model = write_lite(tmp_path / "lite", np.eye(16), (4, 4, 1), data=b"TFL3 but no more of it")
    flat("benchmark_browser")(
        model, tmp_path / "report", tmp_path / "metrics", device="c", dir=str(cache), **QUICK
    )
    found = Measurement.read(tmp_path / "report")
    assert (found.verdict, found.summary) == ("crashed", None)
    assert found.crashed is not None
    assert found.crashed.stderr, "where in the runtime"
    assert not (tmp_path / "report/browser.json").exists()


def test_it_has_this_machine_for_itself_and_its_key_holds_the_page() -> None:
    assert interface_of("benchmark_browser").occupies == "device"
    assert "devices/browser/page.html" in code_files("benchmark_browser")
    assert "devices/browser/page.html" not in code_files("benchmark")
