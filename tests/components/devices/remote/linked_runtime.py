"""The runtime of this machine as what is installed on a device: links, so that it takes no time."""

from __future__ import annotations

import io
import sys
import tarfile
from importlib import metadata
from pathlib import Path

import pytest

from components.devices.fingerprint import RUNTIME, runtime_version
from components.devices.remote import wheels
from components.devices.remote.foreign_python import ForeignPython

PYTHON = str(Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}")
"""This Python without the packages of the tests' environment."""


def keep_linked_runtime(
    kept: Path, python: ForeignPython, *, without: str = "", runtime: str = "", begins: str = ""
) -> wheels.SiteArchive:
    """Put an archive where one is kept that has been fetched before.

    Args:
        kept: The folder of archives.
        python: That it is for.
        without: A package that is missing from it.
        runtime: Its version, when not ours.
        begins: Python that runs when it is imported, in place of the runtime itself.
    """
    packages = Path(str(metadata.distribution(RUNTIME).locate_file("")))
    kept.mkdir(parents=True, exist_ok=True)
    path = wheels.kept_archive(kept, python, runtime or runtime_version())
    with tarfile.open(path, "w:gz") as archive:
        for name in ("ai_edge_litert", "numpy", "numpy.libs"):
            if begins and name == "ai_edge_litert":
                content = begins.encode()
                file = tarfile.TarInfo(f"{name}/__init__.py")
                file.size = len(content)
                archive.addfile(file, io.BytesIO(content))
            elif name != without and (packages / name).is_dir():
                link = tarfile.TarInfo(name)
                link.type, link.linkname = tarfile.SYMTYPE, str(packages / name)
                archive.addfile(link, io.BytesIO())
    return wheels.SiteArchive.at(path)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of archives of a test of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "kept"))
    return wheels.wheel_folder()
