"""Wheels: the runtime for a device's own Python, fetched here and packed into one archive.

The device needs no pip, no network and no rights.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import secrets
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from components.contract.errors import UserError
from components.devices.fingerprint import RUNTIME
from components.devices.remote.foreign_python import ForeignPython

_FORM = 1
"""Of the archive; another one has other names, so that nothing old is taken for it."""

_LEFT_OUT = ("/tests/", "/aot/", "libLiteRtWebGpuAccelerator.so", ".pyi")
_OLDEST_MANYLINUX = 17  # manylinux2014: the first for aarch64
_LIMIT_S = 600
_SIZE_BYTES = 4


@dataclass(frozen=True)
class SiteArchive:
    """What is unpacked on a device: a folder of packages.

    Attributes:
        path: The ``.tar.gz``.
        sha256: Of it.
        unpacked_bytes: What it takes there.
        kind: ``site`` for packages, ``root`` where a Python comes with them.
    """

    path: Path
    sha256: str
    unpacked_bytes: int
    kind: str = "site"

    @classmethod
    def at(cls, path: Path, kind: str = "site") -> SiteArchive:
        """Return the archive in a file.

        Args:
            path: Of the file.
            kind: Of what is in it.
        """
        content = path.read_bytes()
        return cls(
            path=path,
            sha256=hashlib.sha256(content).hexdigest(),
            unpacked_bytes=int.from_bytes(content[-_SIZE_BYTES:], "little"),  # gzip's own word
            kind=kind,
        )

    @property
    def site(self) -> str:
        """Name of the folder there: it depends on what is in it alone."""
        return f"{self.kind}-{self.sha256[:16]}"


def site_archive(python: ForeignPython, runtime: str, name: str, kept: Path) -> SiteArchive:
    """Return the archive for a device's Python, fetched where it is not kept yet.

    The same wheels give the same bytes, so that their digest says what a device has.

    Args:
        python: Of the device.
        runtime: Version of the runtime.
        name: Of the device.
        kept: Folder where archives are kept.

    Raises:
        UserError: There are no such wheels, or they cannot be fetched.
    """
    path = kept_archive(kept, python, runtime)
    if not path.is_file():
        kept.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            fetch_wheels(Path(folder), python, runtime, name)
            part = kept / f"{path.name}.part-{secrets.token_hex(6)}"
            try:
                part.write_bytes(_packed(Path(folder)))
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
    return SiteArchive.at(path)


def kept_archive(kept: Path, python: ForeignPython, runtime: str) -> Path:
    """Return where the archive for a Python is kept, once it is there.

    Args:
        kept: Folder where archives are kept.
        python: Of the device.
        runtime: Version of the runtime.
    """
    wheels = "-".join(_wanted(runtime)).replace("=", "").replace("<", "")
    return kept / f"{wheels}-{_tag(python)}-{_platforms(python)[-1]}-{_FORM}.tar.gz"


def wheel_folder() -> Path:
    """Return where archives are kept on this machine: they are in no result."""
    return cache_home() / "wheels"


def cache_home() -> Path:
    """Return where this machine keeps what was fetched for devices."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    home = given if given.is_absolute() else Path.home() / ".cache"
    return home / "slimline"


def _wanted(runtime: str) -> tuple[str, ...]:
    """Return what pip is asked for: of numpy, ours or the newest that this Python still has."""
    return f"{RUNTIME}=={runtime}", f"numpy<={metadata.version('numpy')}"


def _tag(python: ForeignPython) -> str:
    return "cp{}{}".format(*python.release)


def _platforms(python: ForeignPython) -> list[str]:
    """Return the platforms whose wheels say that they run there, the best last."""
    _, newest = python.glibc_release
    arch = python.machine
    return [
        f"manylinux2014_{arch}",
        *(f"manylinux_2_{minor}_{arch}" for minor in range(_OLDEST_MANYLINUX, newest + 1)),
    ]


def fetch_wheels(folder: Path, python: ForeignPython, runtime: str, name: str) -> None:
    """Download wheels as pip is set up here: through its index, proxy or folder of wheels.

    Args:
        folder: For them.
        python: That will load them.
        runtime: Version of the runtime.
        name: Of the device.

    Raises:
        UserError: There are none, or they cannot be fetched.
    """
    wanted = _wanted(runtime)
    command = [
        *(_with_pip(), "-m", "pip", "download", "--quiet", "--no-input", "--no-deps"),
        *("--only-binary=:all:", "--dest", str(folder)),
        *("--implementation", "cp", "--abi", _tag(python)),
        *("--python-version", ".".join(map(str, python.release))),
        *(each for platform in _platforms(python) for each in ("--platform", platform)),
        *wanted,
    ]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UserError(
            f"{name}: no wheels of {RUNTIME} in {_LIMIT_S} s", "mend the connection, run again"
        ) from None
    if done.returncode == 0:
        return
    said = [line for line in done.stderr.splitlines() if line.strip()] or ["it said nothing"]
    if "No module named pip" in done.stderr:
        raise UserError(
            f"{name}: pip, which fetches its packages, is not installed in {sys.prefix}",
            f"{sys.executable} -m ensurepip",
        )
    errors = [line for line in said if line.startswith("ERROR")] or said
    raise UserError(
        f"{name}: pip found no {' and '.join(wanted)} for Python {python.version} on "
        f"{python.machine} with glibc {python.glibc}: {errors[-1].removeprefix('ERROR: ')}",
        "let this machine reach a package index that has them, as for `make install`, and run "
        "again",
    )


def _with_pip() -> str:
    """Return a Python that has pip: an image has it beside its environment, and not in it."""
    base = Path(sys.base_prefix) / "bin" / "python3"
    return sys.executable if find_spec("pip") or not base.is_file() else str(base)


def _packed(wheels: Path) -> bytes:
    """Return the files of all wheels as one ``.tar.gz``, the same bytes for the same files."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=6, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w") as archive,
    ):
        for path, content in sorted(wheel_files(wheels)):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def wheel_files(wheels: Path) -> Iterator[tuple[str, bytes]]:
    """Return what is installed of the wheels in a folder, but for what no measurement needs."""
    for wheel in wheels.glob("*.whl"):
        with zipfile.ZipFile(wheel) as opened:
            for path in opened.namelist():
                outside = ".data/" in path or path.endswith("/")
                if not outside and not any(part in path for part in _LEFT_OUT):
                    yield path, opened.read(path)
