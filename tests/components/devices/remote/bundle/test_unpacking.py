"""Unpacking: by the shells of phones and boards alone, whole or not at all, and checked each time."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest

from components.contract.errors import UserError
from components.devices.device import Seen
from components.devices.fingerprint import RUNTIME, runtime_version
from components.devices.remote.bundle.building import packed
from components.devices.remote.bundle.lock import BundleLock
from components.devices.remote.bundle.root import with_sums
from components.devices.remote.bundle.unpacking import install_bundle
from components.devices.remote.looking import Sight
from components.devices.remote.wheels import SiteArchive
from tests.components.devices.remote.bundle.built import python_of
from tests.components.devices.remote.host_shell import KINDS, HostShell
from tests.components.devices.remote.linked_runtime import PYTHON
from tests.data.disks import mounted

SHELLS = pytest.mark.parametrize("kind", KINDS)
PACKAGES = metadata.distribution(RUNTIME).locate_file("")
STARTS = f'#!/bin/sh\nPYTHONPATH={PACKAGES}\nexport PYTHONPATH\nexec {PYTHON} "$@"\n'


def archive_of(folder: Path, files: Mapping[str, bytes] | None = None) -> SiteArchive:
    """A bundle that starts this machine's Python, which takes no time to make."""
    some = {"python": STARTS.encode(), "lib/deep/er/library.so": b"library" * 1000}
    path = folder / "root.tar.gz"
    path.write_bytes(packed(with_sums({**some, **(files or {})})))
    return SiteArchive.at(path, "root")


def sight_of(shell: HostShell, folder: Path) -> Sight:
    found = shell.run("command -v sh").out.decode().strip()
    python = python_of("x86_64", BundleLock.read())
    return Sight(Seen("id", {}, {}), "boot", str(folder), (), python, found)


def install(folder: Path, kind: str, archive: SiteArchive, there: Path | None = None):
    shell = HostShell(folder, kind, "s21")
    sight = sight_of(shell, there or folder / "there")
    return install_bundle(shell, "s21", sight, archive, runtime_version())


def left(there: Path) -> list[str]:
    return sorted(path.name for path in there.iterdir())


@SHELLS
def test_it_is_there_whole_and_stays(kind: str, tmp_path: Path) -> None:
    archive = archive_of(tmp_path)
    first, second = (install(tmp_path, kind, archive) for _ in range(2))
    assert (first.source, first.version, first.sha256) == (
        "bundle", runtime_version(), archive.sha256,
    )  # fmt: skip
    assert (first.bytes, second.bytes) == (archive.path.stat().st_size, 0)
    assert left(tmp_path / "there") == [archive.site]
    library = tmp_path / "there" / archive.site / "lib/deep/er/library.so"
    assert library.read_bytes() == b"library" * 1000


@SHELLS
def test_a_file_that_was_changed_is_noticed_and_its_fix_helps(kind: str, tmp_path: Path) -> None:
    archive = archive_of(tmp_path)
    install(tmp_path, kind, archive)
    library = tmp_path / "there" / archive.site / "lib/deep/er/library.so"
    library.write_bytes(library.read_bytes()[:-1] + b"X")
    with pytest.raises(
        UserError, match=r"lib/deep/er/library.so is not as it was sent\n"
    ) as caught:
        install(tmp_path, kind, archive)
    assert caught.value.fix.startswith("slimline devices clean s21")
    HostShell(tmp_path, kind).run('rm -rf "$1"', str(tmp_path / "there"))
    assert install(tmp_path, kind, archive).bytes


@SHELLS
def test_an_archive_that_is_another_there_is_not_unpacked(kind: str, tmp_path: Path) -> None:
    archive = replace(archive_of(tmp_path), sha256="0" * 64)
    with pytest.raises(UserError, match=r"could not unpack .*: it came there with another content"):
        install(tmp_path, kind, archive)
    assert left(tmp_path / "there") == []


def test_a_damaged_archive_is_not_unpacked(tmp_path: Path) -> None:
    good = archive_of(tmp_path)
    bad = tmp_path / "bad.tar.gz"
    bad.write_bytes(good.path.read_bytes()[:-200])
    with pytest.raises(UserError, match=r"is not as it was sent, nor are 1 other files"):
        install(tmp_path, "sh", SiteArchive.at(bad, "root"))
    assert left(tmp_path / "there") == []
    assert install(tmp_path, "sh", good).bytes


@SHELLS
def test_a_runtime_that_cannot_be_loaded_is_not_installed(kind: str, tmp_path: Path) -> None:
    for script, what in (
        ("echo gone >&2; exit 3", r"cannot load the runtime in .*: gone"),
        ("kill -4 $$", "ended with signal 4: this CPU lacks"),
        ("kill -11 $$", r"cannot load the runtime in .*: signal 11"),
        ("echo may not >&2; exit 126", r"runs no programs from .*/there: may not"),
    ):
        archive = archive_of(tmp_path, {"python": f"#!/bin/sh\n{script}\n".encode()})
        with pytest.raises(UserError, match=what) as caught:
            install(tmp_path, kind, archive)
        assert "s21" in caught.value.fix
        assert left(tmp_path / "there") == []


def test_no_room_is_said_before_anything_goes_there(tmp_path: Path) -> None:
    archive = archive_of(tmp_path, {"big": os.urandom(1_500_000)})
    with mounted(tmp_path / "there", "size=2m") as there:
        with pytest.raises(UserError, match=r"s21 has 2 MB free in .*, and 4 MB are needed: "
                           "2 MB for the bundle that is sent, 2 MB for what is in it") as caught:  # fmt: skip
            install(tmp_path, "sh", archive, there)
        assert left(there) == []
    assert "set `dir` of s21 to a folder with room" in caught.value.fix
    assert install(tmp_path, "sh", archive, tmp_path / "elsewhere").bytes


@SHELLS
def test_strays_of_two_days_go_and_younger_ones_stay(kind: str, tmp_path: Path) -> None:
    there = tmp_path / "there"
    for name in ("run-old", "run-new", "root-1.part-old", "photos"):
        (there / name).mkdir(parents=True)
    for name, hours in (("run-old", 49), ("root-1.part-old", 49), ("photos", 49), ("run-new", 1)):
        then = time.time() - hours * 3600
        os.utime(there / name, (then, then))
    archive = archive_of(tmp_path)
    install(tmp_path, kind, archive)
    assert left(there) == sorted(["photos", archive.site, "run-new"])


def test_two_that_install_at_once_do_not_meet(tmp_path: Path) -> None:
    archive = archive_of(tmp_path)
    HostShell(tmp_path, "mksh")
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda _: install(tmp_path, "mksh", archive), range(4)))
    assert left(tmp_path / "there") == [archive.site]
    assert left(tmp_path / "there" / archive.site) == ["SHA256SUMS", "lib", "python"]
