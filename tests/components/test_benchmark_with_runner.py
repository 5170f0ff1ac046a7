"""Benchmark with a runner, over a real sshd, and a real adb before a phone of the tests' own."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.artifacts.measurement import Measurement
from components.contract.errors import UserError
from components.devices.device import LostError
from components.devices.remote.settings import SshSettings
from components.devices.remote.ssh_device import open_ssh
from components.devices.timing_plan import TimingPlan
from components.measure.with_runner import IN_A_SHELL
from pipelines.sources.snapshot import RUNNER, snapshot_of, stage
from tests.components.devices.remote.runner.test_device import running
from tests.components.flat import flat
from tests.data.benchmark_programs import (
    LITERT_FLAGS,
    ROWS,
    litert_output,
    replaced,
    tflite_operators,
    tflite_output,
    write_program,
)
from tests.data.tiny_lite import write_lite
from tests.servers.phone.phone import Adb, Phone
from tests.servers.sshd import HOST, Sshd

MEDIANS_US = [4200, 4230, 4190, 4210, 4205, 4250, 4180, 4220, 4215, 4195, 9000]
"""One process met with something: it decides nothing."""
GPU = "TfLiteGpuDelegateV2"

benchmark_ssh, benchmark_adb = flat("benchmark_ssh"), flat("benchmark_adb")


@pytest.fixture
def sshd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    with Sshd(tmp_path / "sshd", environment={"PATH": os.defpath, "HOME": str(tmp_path)}) as server:
        monkeypatch.setenv("PATH", f"{server.programs}:{os.environ['PATH']}")
        yield server


@pytest.fixture
def phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Phone]:
    (tmp_path / "adb").mkdir()
    with Adb(tmp_path / "adb") as adb, Phone(tmp_path / "phone", adb) as connected:
        monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(adb.port))
        yield connected


@pytest.fixture
def model(tmp_path: Path) -> Path:
    weights = np.random.default_rng(0).normal(size=(8, 64))
    return write_lite(tmp_path / "lite", weights, (8, 8, 1))


def source(program: Path, tmp_path: Path) -> Path:
    """The Source of a program, as a step gets it."""
    folder = tmp_path / f"source-{time.monotonic_ns()}"
    stage(snapshot_of(f"{RUNNER}s21", str(program)), folder)
    return folder


def measured(sshd: Sshd, model: Path, program: Path, tmp_path: Path, **more: Any) -> Measurement:
    del sshd  # it is reached by its name
    benchmark_ssh(
        model, tmp_path / "report", tmp_path / "metrics", source(program, tmp_path), device="s21",
        host=HOST, cooldown_s=0.1, **{"operators": False, **more},
    )  # fmt: skip
    return Measurement.read(tmp_path / "report")


def outputs(medians_us: Sequence[int] = MEDIANS_US, said: str = "") -> list[str]:
    return [tflite_output(median_us, said) for median_us in medians_us]


def test_a_report_of_a_board(sshd: Sshd, model: Path, tmp_path: Path) -> None:
    program = write_program(
        tmp_path / "program", outputs(), profile=tflite_output(9900) + tflite_operators()
    )
    found = measured(sshd, model, program, tmp_path, operators=True)
    summary = found.summary
    assert summary is not None
    assert len(found.processes) == 11
    assert summary.p50_ms.value == pytest.approx(4.21)
    # The 2nd to the 10th, and a microsecond to each side: finer is not told.
    assert summary.p50_ms.low == pytest.approx(4.19 - 0.001)
    assert summary.p50_ms.high == pytest.approx(4.25 + 0.001)
    assert found.verdict == "stable"
    assert (summary.p90_ms, summary.samples) == (None, 11 * 52)
    assert summary.peak_memory_bytes == int(12.75 * 1024 * 1024)
    assert found.runtime["name"] == "benchmark_model"
    assert (found.runtime["source"], found.runtime["version"]) == ("runner", "tflite")
    assert found.accelerator is not None
    assert (found.accelerator.asked, found.accelerator.got) == ("cpu", "cpu")
    assert [process.samples_ms for process in found.processes] == [()] * 11
    assert len(found.device.states) == 11
    assert found.operators is not None
    assert [each.kind for each in found.operators.operators] == [kind for kind, _ in ROWS]
    assert found.operators.p50_ms == summary.p50_ms.value
    assert found.notes == ()
    there = tmp_path / ".cache/slimline"
    assert {path.name[:6] for path in there.iterdir() if path.name != "lock"} == {"runner"}
    assert json.loads((tmp_path / "metrics").read_bytes())["p50_ms"] == pytest.approx(4.21)


def test_a_report_of_a_phone(phone: Phone, model: Path, tmp_path: Path) -> None:
    said = replaced("LITERT_CL", 31, 31)
    program = write_program(
        tmp_path / "program", [litert_output(400, said)] * 3, flags=LITERT_FLAGS
    )
    benchmark_adb(
        model, tmp_path / "report", tmp_path / "metrics", source(program, tmp_path), device="s21",
        serial=phone.serial, dir=str(tmp_path / "phone/there"), cooldown_s=0.1, accelerator="gpu",
        operators=False,
    )  # fmt: skip
    found = Measurement.read(tmp_path / "report")
    assert found.accelerator is not None
    assert (found.accelerator.asked, found.accelerator.got) == ("gpu", "gpu")
    assert "LITERT_CL runs 31 of 31 nodes" in found.accelerator.evidence
    assert found.notes[0] == IN_A_SHELL
    assert "enqueuing" in found.notes[1]
    assert (found.device.kind, found.device.transport) == ("adb", "adb")


def test_a_fallback_is_an_answer_of_that_model(sshd: Sshd, model: Path, tmp_path: Path) -> None:
    program = write_program(tmp_path / "program", outputs([4200], replaced(GPU, 2, 3)))
    found = measured(sshd, model, program, tmp_path, accelerator="gpu")
    assert found.verdict == "crashed"
    assert "not all of it ran on the gpu" in found.evidence
    assert found.summary is None
    assert found.accelerator is not None
    assert (found.accelerator.asked, found.accelerator.got) == ("gpu", "unknown")


def test_what_no_runner_tells_is_refused(sshd: Sshd, model: Path, tmp_path: Path) -> None:
    program = write_program(tmp_path / "program", outputs())
    for asked in ("sustained", "energy"):
        with pytest.raises(UserError, match="s21: ") as caught:
            measured(sshd, model, program, tmp_path, **{asked: True})
        assert caught.value.fix == f"remove {asked}, or runner"
    for asked in ({"accelerator": "gpu"}, {"libraries": "/there"}):
        with pytest.raises(UserError, match="runner"):
            benchmark_ssh(
                model, tmp_path / "report", tmp_path / "metrics", device="s21", host=HOST, **asked
            )


def test_a_connection_that_breaks_ends_the_program(sshd: Sshd, model: Path, tmp_path: Path) -> None:
    program = write_program(
        tmp_path / "program", [""], ending='mkfifo "$0.pipe"; read -r line <"$0.pipe"; exit 1'
    )
    there = tmp_path / ".cache/slimline"
    device = open_ssh("pi", SshSettings(host=HOST, cooldown_s=0.1), program)
    try:
        device.install()
        with ThreadPoolExecutor() as pool:
            timed = pool.submit(device.time, model / "model.tflite", TimingPlan(), 0)
            assert _until(lambda: bool(running(there)))
            sshd.drop()
            with pytest.raises(LostError, match="pi went away"):
                timed.result(60)
    finally:
        device.close()
    assert _until(lambda: not running(there))
    assert _until(lambda: [path.name[:7] for path in there.iterdir()] == ["runner-"])


def _until(holds: Any) -> bool:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.05)
    return False
