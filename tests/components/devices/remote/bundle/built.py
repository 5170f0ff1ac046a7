"""Bundles for tests: one an architecture for all of them, of what a mirror has on that day."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from components.contract.errors import UserError
from components.devices.fingerprint import runtime_version
from components.devices.remote.bundle import lock as pinned
from components.devices.remote.bundle.building import build, kept_bundle
from components.devices.remote.bundle.lock import BundleLock
from components.devices.remote.bundle.mirrors import Mirrors
from components.devices.remote.bundle.signed_list import lock_of
from components.devices.remote.foreign_python import ForeignPython
from tests.data.made_once import made_once

_NO_NETWORK = ("no mirror of them is known", "no mirror of Debian gave", "pip found no")


def python_of(arch: str, lock: BundleLock) -> ForeignPython:
    """Return the Python that a bundle brings."""
    return ForeignPython(
        path="bundle", version=lock.python, implementation="CPython", free_threaded=False, bits=64,
        machine=arch, glibc=lock.glibc, cores=(0,), page_size=4096, runs_programs=True,
        writable=True,
    )  # fmt: skip


class Bundles:
    """What is built in this run of the tests, by whichever of its processes needs it first.

    Args:
        folders: Of this process.
    """

    def __init__(self, folders: pytest.TempPathFactory) -> None:
        self._folders = folders
        self._made: dict[str, Path] = {}

    @property
    def lock(self) -> BundleLock:
        """What the mirror has today, and Debian has signed."""
        return BundleLock.read(self._lock_file)

    def archive(self, arch: str) -> Path:
        """Return a bundle; the test is skipped, and says so, where no network has its packages."""
        lock = self.lock

        def write(folder: Path) -> None:
            content = build(python_of(arch, lock), lock, runtime_version(), "tests")
            (folder / "root.tar.gz").write_bytes(content)

        return self._once(f"bundle-{arch}", write) / "root.tar.gz"

    def give(self, arch: str, monkeypatch: pytest.MonkeyPatch) -> Path:
        """Make a bundle the one that devices get, as if it had been built before."""
        archive = self.archive(arch)
        monkeypatch.setattr(pinned, "LOCK", self._lock_file)
        kept = kept_bundle(arch, self.lock, runtime_version())
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(archive, kept)
        return kept

    @property
    def _lock_file(self) -> Path:
        def write(folder: Path) -> None:
            lock_of(Mirrors.of_this_machine(moment=None)).write(folder / "debian.json")

        return self._once("bundle-lock", write) / "debian.json"

    def _once(self, name: str, write: Callable[[Path], None]) -> Path:
        if name not in self._made:
            try:
                self._made[name] = made_once(self._folders, name, write)
            except UserError as error:
                if any(part in error.what for part in _NO_NETWORK):
                    pytest.skip(f"bundles are not tested: {error.what}")
                raise
        return self._made[name]


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Bundles:
    """The bundles of this run of the tests."""
    return Bundles(tmp_path_factory)
