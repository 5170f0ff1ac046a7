"""Benchmark over ssh: a real sshd on this machine is the board."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.artifacts.lite_model import LiteModelInfo
from components.artifacts.measurement import Measurement
from components.contract.closure import closure_of
from components.contract.errors import UserError
from components.devices.device import LostError
from components.devices.fingerprint import runtime_version
from components.devices.remote.looking import look_at
from components.devices.remote.settings import SshSettings
from components.devices.remote.ssh import SshShell
from components.devices.remote.ssh_device import open_ssh
from components.devices.timing_plan import TimingPlan
from tests.components.devices.remote.bundle.built import Bundles, bundles
from tests.components.devices.remote.linked_runtime import PYTHON, keep_linked_runtime, kept
from tests.components.devices.remote.test_device import probes_in, until
from tests.components.flat import flat
from tests.data.tiny_lite import write_lite
from tests.servers.sshd import HOST, Sshd

__all__ = ["bundles", "kept"]

QUICK: dict[str, Any] = {"processes": 1, "blocks": 3, "block_ms": 1.0, "warm_up_ms": 1.0}
benchmark_ssh = flat("benchmark_ssh")


@pytest.fixture
def sshd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    with Sshd(tmp_path / "sshd", environment={"PATH": os.defpath, "HOME": str(tmp_path)}) as server:
        monkeypatch.setenv("PATH", f"{server.programs}:{os.environ['PATH']}")
        yield server


@pytest.fixture
def model(tmp_path: Path) -> Path:
    weights = np.random.default_rng(0).normal(size=(8, 64))
    return write_lite(tmp_path / "lite", weights, (8, 8, 1))


@pytest.fixture
def settings(sshd: Sshd, kept: Path) -> SshSettings:
    """Of a board that lacks nothing but what is to be installed, which is kept here."""
    given = SshSettings(host=HOST, python=PYTHON, cooldown_s=0.1)
    shell = SshShell("pi", HOST)
    sight = look_at(shell, "pi", given, runtime_version(), transport="ssh", address=HOST)
    shell.close()
    keep_linked_runtime(kept, sight.python)
    return given


def test_a_report_of_a_board(settings: SshSettings, model: Path, tmp_path: Path) -> None:
    reached = {"host": settings.host, "python": settings.python, "cooldown_s": 0.1}
    benchmark_ssh(
        model, tmp_path / "report", tmp_path / "metrics", device="pi", **reached, **QUICK,
        resamples=50,
    )  # fmt: skip
    found, info = Measurement.read(tmp_path / "report"), LiteModelInfo.read(model)
    assert found.model_sha256 == info.sha256
    assert (found.device.name, found.device.kind, found.device.transport) == ("pi", "ssh", "ssh")
    assert found.device.fingerprint["arch"] == os.uname().machine
    assert found.runtime["source"] == "wheel"
    assert len(found.runtime["sha256"]) == 64
    assert len(found.processes) == 1
    assert found.crashed is None
    assert len(found.device.states) == 1
    assert json.loads((tmp_path / "metrics").read_bytes())["p50_ms"] > 0
    there = tmp_path / ".cache/slimline"
    assert [path.name[:5] for path in there.iterdir() if path.name != "lock"] == ["site-"]


LACKING: dict[str, tuple[str, object]] = {
    "has glibc 2.26, and LiteRT needs glibc": ("glibc", "2.26"),
    "has another C library than glibc": ("glibc", ""),
    "has Python 3.8.10, and LiteRT needs": ("version", [3, 8, 10]),
    "without its global lock": ("free_threaded", True),
    "runs 32-bit programs on its 64-bit kernel": ("bits", 32),
}


def test_a_board_whose_python_does_not_fit_is_brought_one(
    sshd: Sshd,
    bundles: Bundles,
    kept: Path,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the error says to set is set, and the board measures."""
    bundles.give(os.uname().machine, monkeypatch)
    fits = {
        "version": [3, 11, 2], "implementation": "CPython", "free_threaded": False, "bits": 64,
        "machine": os.uname().machine, "glibc": "2.36", "cores": [0], "page_size": 4096,
        "runs_programs": True, "writable": True,
    }  # fmt: skip
    python = tmp_path / "python3"
    reached: dict[str, Any] = {"host": HOST, "python": str(python), "cooldown_s": 0.1}
    report, metrics = tmp_path / "report", tmp_path / "metrics"
    for what, (fact, is_so) in LACKING.items():
        python.write_text(f"#!/bin/sh\necho '{json.dumps({**fits, fact: is_so})}'\n")
        python.chmod(0o755)
        with pytest.raises(UserError, match=what) as caught:
            benchmark_ssh(model, report, metrics, device="pi", **reached, **QUICK)
        assert caught.value.fix.startswith("set `bundle: true` of pi")
    bundled = {**reached, "bundle": True}
    benchmark_ssh(model, report, metrics, device="pi", **bundled, **QUICK, resamples=50)
    found = Measurement.read(report)
    assert found.crashed is None
    assert found.runtime["source"] == "bundle"
    assert found.device.fingerprint["python"] == bundles.lock.python
    there = tmp_path / ".cache/slimline"
    assert [path.name[:5] for path in there.iterdir() if path.name[:4] in ("root", "site")] == [
        "root-"
    ]
    device = open_ssh("pi", SshSettings(**bundled))
    device.clean()
    device.close()
    assert not there.exists()


def test_a_board_that_loses_its_power(
    settings: SshSettings, sshd: Sshd, model: Path, tmp_path: Path
) -> None:
    device = open_ssh("pi", settings)
    try:
        with device.take(1):
            device.install()
            sshd.stop()
            with pytest.raises(UserError) as caught:
                device.time(model / "model.tflite", TimingPlan(blocks=1), seed=0)
    finally:
        device.close()
        sshd.start()
    assert "pi" in caught.value.what


def test_a_connection_that_breaks_ends_the_probe(
    settings: SshSettings, sshd: Sshd, model: Path, tmp_path: Path
) -> None:
    there = tmp_path / ".cache/slimline"
    plan = TimingPlan(blocks=1, warm_up_ms=50_000)
    device = open_ssh("pi", settings)
    try:
        device.install()
        with ThreadPoolExecutor() as pool:
            timed = pool.submit(device.time, model / "model.tflite", plan, 0)
            assert until(lambda: bool(probes_in(there)), 60)
            sshd.drop()
            with pytest.raises(LostError, match="pi went away"):
                timed.result(60)
    finally:
        device.close()
    assert until(lambda: not probes_in(there))
    assert until(lambda: [path.name[:5] for path in there.iterdir()] == ["site-"])


def test_a_host_that_nothing_is_known_of(sshd: Sshd, model: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.invalid"):
        benchmark_ssh(
            model, tmp_path / "report", tmp_path / "metrics", device="pi", host="nowhere.invalid"
        )
    assert not (tmp_path / "report").exists()


def test_what_is_sent_as_text_is_in_the_closure() -> None:
    closure = closure_of("benchmark_ssh")
    assert "components.devices.probe" in closure
    for name in ("about_python", "unpack", "watched", "ssh", "framing"):
        assert f"components.devices.remote.{name}" in closure
    assert "components.devices.remote.adb" not in closure
    assert "components.devices.remote.device" not in closure_of("benchmark")
