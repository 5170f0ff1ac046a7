"""Benchmark: the report of a model that runs, and of models that do not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.artifacts.lite_model import LiteModelInfo
from components.artifacts.measurement import Measurement
from components.contract.errors import UserError
from components.contract.interface import interface_of
from components.contract.provisional import is_provisional
from components.devices.fingerprint import fingerprint, usable_cores
from components.measure.stability import judge
from components.measure.timing import summarize
from components.statistics.resampling import Resampling
from tests.components.flat import benchmark
from tests.data.tiny_lite import write_lite

QUICK: dict[str, Any] = {"processes": 2, "blocks": 3, "block_ms": 1.0, "warm_up_ms": 1.0}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    weights = np.random.default_rng(0).normal(size=(8, 64))
    return write_lite(tmp_path_factory.mktemp("small") / "lite", weights, (8, 8, 1))


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory, model: Path) -> tuple[Path, dict[str, float]]:
    root = tmp_path_factory.mktemp("benchmark")
    benchmark(model, root / "report", root / "metrics", **QUICK, resamples=50)
    return root / "report", json.loads((root / "metrics").read_bytes())


def test_the_report_says_what_was_measured_and_where(
    reports: tuple[Path, dict[str, float]], model: Path
) -> None:
    found, info = Measurement.read(reports[0]), LiteModelInfo.read(model)
    assert (found.model_sha256, found.size_bytes, found.gzip_bytes) == (
        info.sha256, info.size_bytes, info.gzip_bytes,
    )  # fmt: skip
    assert (found.device.name, found.device.fingerprint) == ("host", fingerprint())
    assert found.runtime["name"] == "ai-edge-litert"
    assert found.runtime["version"] == found.device.fingerprint["runtime"]
    assert found.device.kind == "host"
    assert len(found.device.states) == 2
    assert found.runtime["source"] == "wheel"
    assert (found.accelerator.asked, found.accelerator.got) == ("cpu", "cpu")
    assert found.device.transport == "none"
    assert found.threads == 1
    assert found.delegate_partitions == 1
    assert found.unit == "ms"


def test_raw_samples_are_kept_and_everything_else_follows(
    reports: tuple[Path, dict[str, float]],
) -> None:
    found = Measurement.read(reports[0])
    assert len(found.processes) == 2
    assert found.summary == summarize(found.processes, Resampling(resamples=50))
    assert found.attempts[-1] == judge(found.processes)
    assert (found.verdict, found.evidence) == (
        found.attempts[-1].verdict, found.attempts[-1].evidence,
    )  # fmt: skip
    assert reports[1]["p50_ms"] == found.summary.p50_ms.value


def test_the_file_names_verdict_evidence_and_summary_for_everybody(
    reports: tuple[Path, dict[str, float]],
) -> None:
    content = json.loads((reports[0] / "benchmark.json").read_bytes())
    assert {"verdict", "evidence", "summary", "processes", "device", "crashed"} <= set(content)
    assert {"value", "low", "high"} == set(content["summary"]["p50_ms"])
    assert content["crashed"] is None
    assert Measurement.from_json(content).to_json() == Measurement.read(reports[0]).to_json()


def test_a_report_of_the_first_schema_is_read(
    reports: tuple[Path, dict[str, float]], tmp_path: Path
) -> None:
    """As it was written before devices of several kinds were there."""
    content = json.loads((reports[0] / "benchmark.json").read_bytes())
    states = content["device"]["states"]
    content["device"] = {
        "name": "host", "fingerprint": content["device"]["fingerprint"],
        "before": states[0]["before"], "after": states[-1]["after"],
    }  # fmt: skip
    for key in ("accelerator", "sustained", "energy"):
        del content[key]
    for process in content["processes"]:
        for key in ("reference_ms_before", "reference_ms_after", "cores"):
            del process[key]
        for block in process["blocks"]:
            del block["frequency_mhz"]
    (tmp_path / "benchmark.json").write_text(json.dumps({**content, "schema": 1}))
    found, now = Measurement.read(tmp_path), Measurement.read(reports[0])
    assert (found.summary, found.verdict) == (now.summary, now.verdict)
    assert found.device.kind == "host"
    assert found.device.states[0].before == now.device.states[0].before
    assert found.accelerator is None


def died(tmp_path: Path, model: Path, verdict: str = "crashed", **options: Any) -> Measurement:
    """Run a benchmark of a model that dies: the component itself comes to its end."""
    benchmark(model, tmp_path / "report", tmp_path / "metrics", **{**QUICK, **options})
    found = Measurement.read(tmp_path / "report")
    assert found.verdict == verdict
    assert found.summary is None
    assert found.crashed is not None
    metrics = json.loads((tmp_path / "metrics").read_bytes())
    assert is_provisional(metrics) == (verdict == "killed")
    assert ("crashed" in metrics) == (verdict == "crashed")
    return found


def test_a_model_that_kills_its_process_is_an_answer(tmp_path: Path) -> None:
    model = write_lite(tmp_path / "lite", np.eye(16), (4, 4, 1), kills=True)
    found = died(tmp_path, model)
    assert (found.crashed.signal, found.crashed.name) == (11, "SIGSEGV")
    assert found.evidence == "crashed: signal 11 (SIGSEGV)"


def test_a_model_that_is_refused_is_an_answer(tmp_path: Path) -> None:
    model = write_lite(tmp_path / "lite", np.eye(16), (4, 4, 1), data=b"TFL3 but no more of it")
    assert died(tmp_path, model).crashed.signal is None


def test_a_process_over_its_time_limit_is_no_answer(tmp_path: Path, model: Path) -> None:
    found = died(tmp_path, model, "killed", limit_s=0.05)
    assert found.evidence.startswith("time limit of 0.05 s, twice; not kept")


def test_more_threads_than_cores_are_a_fault_of_the_user(tmp_path: Path, model: Path) -> None:
    with pytest.raises(UserError, match="threads that wait for each other"):
        benchmark(
            model, tmp_path / "report", tmp_path / "metrics", threads=usable_cores() + 1, **QUICK
        )
    assert not (tmp_path / "report").exists()


def test_it_occupies_the_device_that_it_measures() -> None:
    assert interface_of("benchmark").occupies == "device"


def test_what_is_no_measurement_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no benchmark\.json"):
        Measurement.read(tmp_path)
    (tmp_path / "benchmark.json").write_text('{"schema": 0}')
    with pytest.raises(UserError, match="another version"):
        Measurement.read(tmp_path)
