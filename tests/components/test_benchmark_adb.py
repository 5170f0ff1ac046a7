"""Benchmark over adb: a real adb, and devices with Android's shell: one with a Python, one of ARM."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from components.artifacts.measurement import Crash, Measurement
from components.contract.errors import UserError
from components.devices.fingerprint import runtime_version
from components.devices.remote.adb import AdbShell
from components.devices.remote.adb_device import open_adb
from components.devices.remote.looking import look_at
from components.devices.remote.settings import AdbSettings
from components.devices.timing_plan import TimingPlan
from tests.components.devices.remote.bundle.built import Bundles, bundles
from tests.components.devices.remote.linked_runtime import PYTHON, keep_linked_runtime, kept
from tests.components.flat import flat
from tests.data.tiny_lite import write_lite
from tests.servers.phone.phone import Adb, Phone

__all__ = ["bundles", "kept"]

PLAN = TimingPlan(threads=1, processes=1, blocks=2, block_ms=1, warm_up_ms=1, limit_s=60)
benchmark_adb = flat("benchmark_adb")


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


def test_a_report_of_a_device(phone: Phone, model: Path, tmp_path: Path, kept: Path) -> None:
    folder = tmp_path / "phone/there"
    settings = AdbSettings(serial=phone.serial, python=PYTHON, dir=str(folder))
    sight = look_at(
        AdbShell("board", phone.serial), "board", settings, runtime_version(),
        transport="adb", address=phone.serial,
    )  # fmt: skip
    keep_linked_runtime(kept, sight.python)
    benchmark_adb(
        model, tmp_path / "report", tmp_path / "metrics", device="board", serial=phone.serial,
        dir=str(folder), python=PYTHON, cooldown_s=0.1, processes=1, blocks=3, block_ms=1.0,
        warm_up_ms=1.0, resamples=50,
    )  # fmt: skip
    found = Measurement.read(tmp_path / "report")
    assert (found.device.name, found.device.kind, found.device.transport) == ("board", "adb", "adb")
    assert found.device.fingerprint["arch"] == os.uname().machine
    assert found.crashed is None
    assert len(found.processes) == 1
    assert [path.name[:5] for path in folder.iterdir() if path.name != "lock"] == ["site-"]


@pytest.fixture(scope="module")
def connected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Adb, Phone]]:
    folder = tmp_path_factory.mktemp("arm")
    with Adb(folder / "adb") as adb, Phone(folder / "phone", adb, arm=True) as phone:
        yield adb, phone


@pytest.fixture
def arm_phone(connected: tuple[Adb, Phone], monkeypatch: pytest.MonkeyPatch) -> Phone:
    """A phone as they are sold: a processor of ARM, Android's shell, toybox, and no Python."""
    adb, phone = connected
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(adb.port))
    return phone


def test_a_phone_needs_no_python(
    arm_phone: Phone,
    bundles: Bundles,
    model: Path,
    tmp_path: Path,
    kept: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bundles.give("aarch64", monkeypatch)
    folder = arm_phone.folder / "there"
    given = {
        "device": "s21", "serial": arm_phone.serial, "dir": str(folder), "cooldown_s": 0.1,
        "processes": 1, "blocks": 3, "block_ms": 1.0, "warm_up_ms": 1.0, "resamples": 50,
    }  # fmt: skip
    with pytest.raises(UserError, match="s21 has no Python") as caught:
        benchmark_adb(model, tmp_path / "report", tmp_path / "metrics", **given, bundle=False)
    assert caught.value.fix.startswith("set `bundle: true` of s21")
    assert not (tmp_path / "report").exists()
    benchmark_adb(model, tmp_path / "report", tmp_path / "metrics", **given)
    found = Measurement.read(tmp_path / "report")
    assert found.crashed is None
    assert len(found.processes) == 1
    fingerprint = found.device.fingerprint
    assert (fingerprint["arch"], fingerprint["python"]) == ("aarch64", bundles.lock.python)
    assert fingerprint["bundle"] == bundles.lock.digest_of("aarch64")
    assert found.runtime["source"] == "bundle"
    (root,) = (path for path in folder.iterdir() if path.name != "lock")
    assert root.name == f"root-{str(found.runtime['sha256'])[:16]}"


def test_what_a_phone_does_with_a_model_that_is_none(
    arm_phone: Phone, bundles: Bundles, tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundles.give("aarch64", monkeypatch)
    folder = arm_phone.folder / "there"
    device = open_adb("s21", AdbSettings(serial=arm_phone.serial, dir=str(folder)))
    with device.take(1):
        device.install()
        killing = write_lite(tmp_path / "killing", np.eye(16), (4, 4, 1), kills=True)
        killed = device.time(killing / "model.tflite", PLAN, seed=0)
        assert isinstance(killed, Crash)
        assert (killed.signal, killed.name, killed.outside) == (11, "SIGSEGV", False)
        (tmp_path / "none.tflite").write_bytes(b"no model")
        refused = device.time(tmp_path / "none.tflite", PLAN, seed=0)
        assert isinstance(refused, Crash)
        assert refused.refused
        endless = write_lite(tmp_path / "endless", np.eye(16), (4, 4, 1))
        slow = replace(PLAN, warm_up_ms=20_000, limit_s=4)
        stopped = device.time(endless / "model.tflite", slow, seed=0)
        assert isinstance(stopped, Crash)
        assert (stopped.name, stopped.outside) == ("time limit of 4 s", True)
    assert {path.name[:5] for path in folder.iterdir()} - {"lock", "best."} == {"root-"}
    device.clean()
    assert not folder.exists()
