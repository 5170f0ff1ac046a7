"""Bare devices: what a look without a Python finds is what one with a Python finds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from components.contract.errors import UserError
from components.devices.remote.bundle import mirrors
from components.devices.remote.bundle.bare import brought_python
from components.devices.remote.bundle.lock import BundleLock
from components.devices.remote.bundle.mirrors import VARIABLE
from components.devices.remote.device import RemoteDevice
from components.devices.remote.raw_files import RawFiles
from components.devices.remote.settings import AdbSettings, SshSettings
from tests.components.devices.remote.host_shell import KINDS, HostShell
from tests.components.devices.remote.linked_runtime import PYTHON
from tests.components.devices.remote.test_looking import ToolShell
from tests.data.disks import mounted


def device_of(folder: Path, kind: str = "sh", there: Path | None = None, **settings):
    shell = HostShell(folder, kind, "pi")
    given = SshSettings(host="pi", dir=str(there or folder / "there"), **settings)
    return RemoteDevice("ssh", "pi", shell, given, transport="ssh", address="pi.lan")


@pytest.mark.parametrize("kind", KINDS)
def test_it_tells_what_a_python_tells(kind: str, tmp_path: Path) -> None:
    brought, own = device_of(tmp_path, kind, bundle=True), device_of(tmp_path, kind, python=PYTHON)
    with_bundle, without = brought.look().fingerprint, own.look().fingerprint
    assert with_bundle["bundle"] == BundleLock.read().digest_of(os.uname().machine)
    assert with_bundle["python"] == BundleLock.read().python
    same = with_bundle.keys() - {"bundle", "python"}
    assert {name: with_bundle[name] for name in same} == {name: without[name] for name in same}
    assert "page_size" in same
    assert brought._sight is not None
    assert {core.number for core in brought._sight.cores} == os.sched_getaffinity(0)
    assert not (tmp_path / "there").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_disk_that_runs_no_programs(kind: str, tmp_path: Path) -> None:
    with mounted(tmp_path / "no exec", "size=1m,noexec") as disk:
        (tmp_path / "link").symlink_to(disk)
        with pytest.raises(UserError, match=r"runs no programs from .*noexec") as caught:
            device_of(tmp_path, kind, tmp_path / "link/there", bundle=True).look()
        assert "set `dir` of pi to a folder on another disk" in caught.value.fix
        assert list(disk.iterdir()) == []
    assert device_of(tmp_path, kind, bundle=True).look()


def test_a_processor_of_32_bits_has_no_bundle(tmp_path: Path) -> None:
    shell = ToolShell(tmp_path)
    shell.says("uname", "echo armv7l")
    settings = SshSettings(host="pi", dir=str(tmp_path / "there"), bundle=True)
    device = RemoteDevice("ssh", "pi3", shell, settings, transport="ssh", address="pi.lan")
    with pytest.raises(UserError, match="pi3 is armv7l, and there is no LiteRT for it") as caught:
        device.look()
    assert "bundle" not in caught.value.fix
    shell.says("uname", f"echo {os.uname().machine}")  # the 64-bit system that the fix asks for
    assert device.look()


def test_what_could_not_be_built_is_said_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(mirrors, "ETC", tmp_path)  # of a machine that is not Debian's
    device = device_of(tmp_path, bundle=True)
    with pytest.raises(UserError, match="no mirror of them is known") as caught:
        device.look()
    assert f"export {VARIABLE}=ADDRESS" in caught.value.fix
    monkeypatch.setenv(VARIABLE, (tmp_path / "mirror").as_uri())
    assert device.look()


def raw_of(texts: Mapping[str, str]) -> RawFiles:
    return RawFiles({"writable": "yes", "nearest": "/data/local/tmp", **texts}, ())


MOUNTS = """\
/dev/root / ext4 ro 0 0
/dev/data /data f2fs rw,nosuid,nodev 0 0
tmpfs /data/local/tm tmpfs rw,noexec 0 0
/dev/x /mnt/with\\040blank ext4 rw,noexec 0 0
"""


@pytest.mark.parametrize(
    ("folder", "runs"),
    [
        ("/data/local/tmp", True),
        ("/data/local/tm", False),
        ("/mnt/with blank/x", False),
        ("/", True),
    ],
)
def test_the_disk_is_the_nearest_one(folder: str, runs: bool) -> None:
    raw = raw_of({"/proc/mounts": MOUNTS, "nearest": folder})
    assert brought_python(raw, "aarch64", BundleLock.read()).runs_programs == runs


def test_the_numbers_of_cores_are_those_of_the_kernel() -> None:
    status = "Name:\tcat\nCpus_allowed:\tf3\nCpus_allowed_list:\t0-1,4-7,9\n"
    python = brought_python(raw_of({"/proc/self/status": status}), "aarch64", BundleLock.read())
    assert python.cores == (0, 1, 4, 5, 6, 7, 9)


def test_a_folder_that_cannot_be_written() -> None:
    raw = RawFiles({"nearest": "/"}, ())
    assert not brought_python(raw, "aarch64", BundleLock.read()).writable


def test_who_gets_one() -> None:
    assert not SshSettings(host="pi").brings_python
    assert SshSettings(host="pi", bundle=True).brings_python
    assert AdbSettings(serial="X").brings_python
    assert not AdbSettings(serial="X", bundle=False).brings_python
    assert not AdbSettings(serial="X", python="python3").brings_python
    assert AdbSettings(serial="X", python="python3", bundle=True).brings_python
