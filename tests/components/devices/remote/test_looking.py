"""Looking at devices that have the tools of phones and boards: small programs of that name."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from components.contract.errors import UserError
from components.devices.remote.device import RemoteDevice
from components.devices.remote.settings import SshSettings
from tests.components.devices.remote.host_shell import KINDS, HostShell
from tests.components.devices.remote.linked_runtime import PYTHON


class ToolShell(HostShell):
    """A shell of a device with tools of its own.

    Args:
        folder: Of the test.
        kind: Of the shell.
    """

    def __init__(self, folder: Path, kind: str = "sh") -> None:
        super().__init__(folder, kind, "s21")
        self.there = folder / "there"
        self._tools = folder / "tools"
        self._tools.mkdir()
        self.environment = {
            **self.environment,
            "PATH": f"{self._tools}:{self.environment['PATH']}",
        }

    def says(self, tool: str, script: str) -> None:
        """Let a tool run a script, which has the tool's words as its own."""
        path = self._tools / tool
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def is_phone(self, serial: str) -> None:
        """Let ``getprop`` answer as a phone does."""
        self.says(
            "getprop",
            f'case $1 in ro.serialno) echo {serial};; ro.product.model) echo "SM-G991B";; '
            'ro.soc.model) echo "Exynos 2100";; ro.build.fingerprint) '
            'echo "samsung/o1s/o1s:14/UP1A/user/release-keys";; esac',
        )


def device_of(shell: ToolShell, python: str | None = PYTHON) -> RemoteDevice:
    settings = SshSettings(host="pi", python=python, dir=str(shell.there))
    return RemoteDevice("adb", "s21", shell, settings, transport="adb", address="R5CT10ABCDE")


@pytest.mark.parametrize("kind", KINDS)
def test_a_phone_tells_its_make(kind: str, tmp_path: Path) -> None:
    shell = ToolShell(tmp_path, kind)
    plain = device_of(shell).look()
    shell.is_phone("R5CT10ABCDE")
    seen = device_of(shell).look()
    assert seen.fingerprint["model"] == "SM-G991B"
    assert seen.fingerprint["soc"] == "Exynos 2100"
    assert seen.fingerprint["os"] == "samsung/o1s/o1s:14/UP1A/user/release-keys"
    assert seen.transport == "adb"
    shell.is_phone("R5CT10ABCDF")
    twin = device_of(shell).look()
    assert twin.fingerprint == seen.fingerprint
    assert len({plain.id, seen.id, twin.id}) == 3
    assert not shell.there.exists()


def test_an_architecture_that_the_runtime_lacks_is_said(tmp_path: Path) -> None:
    shell = ToolShell(tmp_path)
    shell.says("uname", 'case $1 in -m) echo armv7l;; *) echo "6.1.21-v7+";; esac')
    with pytest.raises(UserError, match="s21 is armv7l, and there is no LiteRT for it") as caught:
        device_of(shell).look()
    assert "put a 64-bit system on it" in caught.value.fix
    shell.says("uname", 'case $1 in -m) echo aarch64;; *) echo "6.6.20-v8+";; esac')
    assert device_of(shell).look().fingerprint["arch"] == "aarch64"


@pytest.mark.parametrize(
    ("told", "instead", "what", "fix"),
    [
        ('"glibc": "[0-9.]*"', '"glibc": "2.20"', "has glibc 2.20, and LiteRT needs", "update its"),
        ('"glibc": "[0-9.]*"', '"glibc": ""', "has another C library than glibc", "update its"),
        (r'"version": \[3, [0-9]*', '"version": [3, 8', "has Python 3.8", "install one of these"),
        ('"free_threaded": false', '"free_threaded": true', "without its global", "install one of"),
    ],
)
def test_a_python_that_the_runtime_has_no_wheel_for_is_said(
    told: str, instead: str, what: str, fix: str, tmp_path: Path
) -> None:
    shell = ToolShell(tmp_path)
    other = f"sed 's/{told}/{instead}/'"
    shell.says("old-python", f'{PYTHON} "$@" | {other}')
    with pytest.raises(UserError, match=what) as caught:
        device_of(shell, python="old-python").look()
    assert fix in caught.value.fix
    shell.says("old-python", f'exec {PYTHON} "$@"')  # the fix
    device_of(shell, python="old-python").look()


@pytest.mark.parametrize("kind", KINDS)
def test_the_newest_python_that_fits_is_found(kind: str, tmp_path: Path) -> None:
    """Tools called Python that are none, or are broken, do not matter."""
    shell = ToolShell(tmp_path, kind)
    shell.says("python3.14", "exit 1")
    shell.says("python3.13", "echo hello")
    shell.says("python3.12", f'exec {PYTHON} "$@"')
    device = device_of(shell, python=None)
    device.look()
    assert device._sight is not None
    assert device._sight.python.path == str(tmp_path / "tools/python3.12")


def test_no_measurement_begins_while_the_battery_is_saved(tmp_path: Path) -> None:
    shell = ToolShell(tmp_path)
    shell.says("settings", "echo 1")
    device = device_of(shell)
    with pytest.raises(UserError, match="s21 saves its battery") as caught, device.take(0):
        pass
    assert caught.value.fix == "switch the battery saver off"
    shell.says("settings", "echo 0")
    with device.take(0):
        assert device.state()["battery_saver"] == "off"


def test_a_hot_device_is_waited_for(tmp_path: Path) -> None:
    shell = ToolShell(tmp_path)
    hot = tmp_path / "hot"
    hot.touch()
    shell.says("dumpsys", f'[ "$1" = thermalservice ] && [ -f {hot} ] && echo "Thermal Status: 2"')
    device = device_of(shell)
    start = time.monotonic()
    assert not device.settle(0.5)
    shell.says(
        "dumpsys",
        f'[ "$1" = thermalservice ] || exit; [ -f {hot} ] && echo "Thermal Status: 1" || '
        f'echo "Thermal Status: 0"; rm -f {hot}',
    )
    assert device.settle(60)
    assert time.monotonic() - start < 60
    assert device.state()["thermal_status"] == 0


def test_an_attempt_begins_about_as_warm_as_the_first(tmp_path: Path) -> None:
    device = device_of(ToolShell(tmp_path))
    assert not device._is_warmer({"temperature_c": 70.0})
    device._first = {"temperature_c": 50.0}
    assert device._is_warmer({"temperature_c": 53.5})
    assert not device._is_warmer({"temperature_c": 52.5})
    assert not device._is_warmer({"temperature_c": "denied"})
    assert not device._is_warmer({})


def test_this_machine_may_use_what_it_tells(tmp_path: Path) -> None:
    device = device_of(ToolShell(tmp_path))
    device.look()
    assert device._sight is not None
    assert {core.number for core in device._sight.cores} == os.sched_getaffinity(0)
    assert device._sight.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
