"""Benchmark over adb: a real adb, and a device with Android's shell and a Python of this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from components.artifacts.measurement import Measurement
from components.contract.errors import UserError
from components.devices.fingerprint import runtime_version
from components.devices.remote.adb import AdbShell
from components.devices.remote.looking import look_at
from components.devices.remote.settings import AdbSettings
from tests.components.devices.remote.linked_runtime import PYTHON, keep_linked_runtime, kept
from tests.components.flat import flat
from tests.data.tiny_lite import write_lite
from tests.servers.phone.phone import Adb, Phone

__all__ = ["kept"]

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


def test_a_phone_has_no_python(phone: Phone, model: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="board has no Python") as caught:
        benchmark_adb(
            model, tmp_path / "report", tmp_path / "metrics", device="board", serial=phone.serial,
            dir=str(tmp_path / "phone/there"),
        )  # fmt: skip
    assert "set `python` of board" in caught.value.fix
    assert not (tmp_path / "report").exists()
