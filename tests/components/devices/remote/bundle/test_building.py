"""Building: of what Debian has signed today, the same bytes twice, and kept within bounds."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import platform
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from components.contract.errors import UserError
from components.devices.fingerprint import runtime_version
from components.devices.remote.bundle import building, bytecode
from components.devices.remote.bundle.building import build, bundle_archive, packed
from components.devices.remote.bundle.elf import read_elf
from components.devices.remote.bundle.mirrors import VARIABLE, Mirrors
from components.devices.remote.bundle.signed_list import lock_of
from tests.components.devices.remote.bundle.built import Bundles, bundles, python_of
from tests.components.devices.remote.bundle.debs import SignedMirror

__all__ = ["bundles"]


def contents(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(archive))) as opened:
        assert {(entry.mtime, entry.uid, entry.gid, entry.uname) for entry in opened} == {
            (0, 0, 0, "")
        }
        assert opened.getnames() == sorted(opened.getnames())
        files = ((entry.name, opened.extractfile(entry)) for entry in opened)
        return {name: file.read() for name, file in files if file}


def test_two_builds_of_todays_packages_are_the_same_to_the_bit(bundles: Bundles) -> None:
    first = bundles.archive("aarch64").read_bytes()
    lock = bundles.lock
    assert build(python_of("aarch64", lock), lock, runtime_version(), "tests") == first
    files = contents(first)
    assert not [path for path in files if path.endswith(".py")]
    assert "lib/python3.11/signal.pyc" in files
    for content in files.values():
        if elf := read_elf(content):
            assert elf.page_bytes >= 16384, "phones have pages of 16 KB"
    sums = files.pop("SHA256SUMS").decode().splitlines()
    assert sums == [f"{hashlib.sha256(files[path]).hexdigest()}  {path}" for path in sorted(files)]


def test_the_bundles_own_python_compiles_where_no_other_can(
    bundles: Bundles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundles.archive("aarch64")
    mirrors = Mirrors.of_this_machine(bundles.lock.moment)
    arch = platform.machine()
    files = building.root_of(building._packages(bundles.lock, arch, mirrors), {}, arch)
    command = building._started(files, arch, tmp_path)
    sources = {
        path.name: path.read_bytes() for path in Path(json.__file__).parents[1].glob("[a-d]*.py")
    }
    compiled = bytecode.with_bytecode(sources, command)
    assert len(compiled) == len(sources) > 20
    if sys.version_info[:2] == (3, 11):  # whoever compiles, the bytes are the same
        assert bytecode.with_bytecode(sources, [sys.executable]) == compiled
    told = subprocess.run(
        [*command, "-S", "-c", "import sys; print(sys.version)"],
        capture_output=True, text=True, check=True, env={},
    )  # fmt: skip
    assert told.stdout.startswith(bundles.lock.python)


def test_a_pinned_package_that_is_gone_is_said_and_a_new_lock_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = SignedMirror(tmp_path)
    monkeypatch.setenv(VARIABLE, mirror.address)
    old = lock_of(Mirrors((mirror.address,)), mirror.keyring)
    (mirror.folder / old.of("aarch64")[0].path).unlink()
    with pytest.raises(UserError, match="is on none of the mirrors any more") as caught:
        building._packages(old, "aarch64", Mirrors.of_this_machine(old.moment))
    assert caught.value.fix.startswith("make bundle-lock")
    mirror.versions = dict.fromkeys(mirror.versions, "1:3.11.2-2")
    mirror.sign()
    new = lock_of(Mirrors((mirror.address,)), mirror.keyring)
    assert len(building._packages(new, "aarch64", Mirrors.of_this_machine(new.moment))) == 14


def test_few_are_kept(bundles: Bundles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    kept = bundles.give("aarch64", monkeypatch)
    for number in range(building.KEPT_MOST + 1):
        other = kept.with_name(f"older-{number}.tar.gz")
        other.write_bytes(packed({"a": b""}))
        os.utime(other, (number, number))
    lock = bundles.lock
    found = bundle_archive(python_of("aarch64", lock), lock, runtime_version(), "tests")
    assert found.path == kept
    assert found.site == f"root-{found.sha256[:16]}"
    assert len(list(kept.parent.iterdir())) == building.KEPT_MOST
    assert kept.is_file()
    assert not kept.with_name("older-0.tar.gz").exists()
