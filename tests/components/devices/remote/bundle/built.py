"""Bundles for tests: one an architecture for all of them, of what a mirror has on that day."""

from __future__ import annotations

import fcntl
import os
import shutil
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

_NO_NETWORK = ("no mirror of them is known", "no mirror of Debian gave", "pip found no")


def python_of(arch: str, lock: BundleLock) -> ForeignPython:
    """Return the Python that a bundle brings."""
    return ForeignPython(
        path="bundle", version=lock.python, implementation="CPython", free_threaded=False, bits=64,
        machine=arch, glibc=lock.glibc, cores=(0,), page_size=4096, runs_programs=True,
        writable=True,
    )  # fmt: skip


class Bundles:
    """What was built so far in this run of the tests, by whichever of its processes.

    Args:
        folder: That all of them have.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(exist_ok=True)

    @property
    def lock(self) -> BundleLock:
        """What the mirror has today, and Debian has signed."""
        path = self._folder / "debian.json"
        if not path.is_file():
            lock_of(Mirrors.of_this_machine(moment=None)).write(path)
        return BundleLock.read(path)

    def archive(self, arch: str) -> Path:
        """Return a bundle; the test is skipped, and says so, where no network has its packages."""
        with (self._folder / "turn").open("w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            path = self._folder / f"{arch}.tar.gz"
            try:
                if not path.is_file():
                    lock = self.lock
                    path.write_bytes(build(python_of(arch, lock), lock, runtime_version(), "tests"))
            except UserError as error:
                if any(part in error.what for part in _NO_NETWORK):
                    pytest.skip(f"bundles are not tested: {error.what}")
                raise
            return path

    def give(self, arch: str, monkeypatch: pytest.MonkeyPatch) -> Path:
        """Make a bundle the one that devices get, as if it had been built before."""
        archive = self.archive(arch)
        monkeypatch.setattr(pinned, "LOCK", self._folder / "debian.json")
        kept = kept_bundle(arch, self.lock, runtime_version())
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(archive, kept)
        return kept


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Bundles:
    """The bundles of this run of the tests."""
    folder = tmp_path_factory.getbasetemp()
    return Bundles((folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "bundles")
