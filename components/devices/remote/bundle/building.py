"""Building a bundle: pinned packages of Debian and two wheels become one archive.

The same packages and wheels give the same bytes on every machine: nothing in it has a date, an
owner or an order of its own. Nothing of it is published: it goes from here to the user's device.
"""

from __future__ import annotations

import gzip
import io
import os
import secrets
import tarfile
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from components.devices.remote.bundle.bytecode import Tree, compiler, with_bytecode
from components.devices.remote.bundle.deb import DebFiles, read_deb
from components.devices.remote.bundle.lock import BundleLock, PinnedPackage
from components.devices.remote.bundle.mirrors import Mirrors
from components.devices.remote.bundle.root import LOADERS, PROGRAMS, root_of, with_sums
from components.devices.remote.foreign_python import ForeignPython
from components.devices.remote.wheels import SiteArchive, cache_home, fetch_wheels, wheel_files

_FORM = 1
"""Of the archive; another one has other names, so that nothing old is taken for it."""
KEPT_MOST = 4
"""Archives of about 30 MB each that a machine keeps: those that were used last."""
_AT_ONCE = 4
_LEVEL = 4  # the usual 6 takes twice as long for 3 % less


def bundle_archive(python: ForeignPython, lock: BundleLock, runtime: str, name: str) -> SiteArchive:
    """Return the archive for devices of an architecture, built where it is not kept yet.

    Args:
        python: That the bundle brings.
        lock: Which packages it is made of.
        runtime: Version of the runtime.
        name: Of the device, for the sentences of errors.

    Raises:
        UserError: What it is made of cannot be fetched.
    """
    path = kept_bundle(python.machine, lock, runtime)
    if not path.is_file():
        content = build(python, lock, runtime, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.part-{secrets.token_hex(6)}")
        try:
            part.write_bytes(content)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    os.utime(path)
    _drop_old(path.parent)
    return SiteArchive.at(path, "root")


def check_can_build(arch: str, lock: BundleLock, runtime: str) -> None:
    """Refuse, before anything else is done, what could not be built later.

    Args:
        arch: As the kernel says.
        lock: Which packages it is made of.
        runtime: Version of the runtime.

    Raises:
        UserError: No mirror is known, or nothing here compiles for the Python of the bundle.
    """
    if not kept_bundle(arch, lock, runtime).is_file():
        Mirrors.of_this_machine(lock.moment)
        compiler(lambda _, folder: [str(folder)], Path())


def kept_bundle(arch: str, lock: BundleLock, runtime: str) -> Path:
    """Return where the archive for an architecture is kept, once it is there.

    Args:
        arch: As the kernel says.
        lock: Which packages it is made of.
        runtime: Version of the runtime.
    """
    named = f"{arch}-{lock.digest_of(arch)}-{runtime}-{_FORM}"
    return cache_home() / "bundles" / f"{named}.tar.gz"


def build(python: ForeignPython, lock: BundleLock, runtime: str, name: str) -> bytes:
    """Return the archive for an architecture: the same bytes each time.

    Args:
        python: That the bundle brings.
        lock: Which packages it is made of.
        runtime: Version of the runtime.
        name: Of the device, for the sentences of errors.

    Raises:
        UserError: What it is made of cannot be fetched.
    """
    mirrors = Mirrors.of_this_machine(lock.moment)
    with tempfile.TemporaryDirectory() as folder:
        packages = _packages(lock, python.machine, mirrors)
        wheels = Path(folder, "wheels")
        wheels.mkdir()
        fetch_wheels(wheels, python, runtime, name)
        files = root_of(packages, dict(sorted(wheel_files(wheels))), python.machine)

        def unpacked(arch: str, place: Path) -> Sequence[str]:
            native = packages if arch == python.machine else _packages(lock, arch, mirrors)
            return _started(root_of(native, {}, arch), arch, place)

        return packed(with_sums(with_bytecode(files, compiler(unpacked, Path(folder, "native")))))


def packed(files: Tree) -> bytes:
    """Return files as one ``.tar.gz``, the same bytes for the same files."""
    made = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=made, mode="wb", compresslevel=_LEVEL, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for path in sorted(files):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(files[path]), 0o755 if path in PROGRAMS else 0o644
            archive.addfile(entry, io.BytesIO(files[path]))
    return made.getvalue()


def _packages(lock: BundleLock, arch: str, mirrors: Mirrors) -> list[DebFiles]:
    def read(package: PinnedPackage) -> DebFiles:
        called = f"{package.name} {package.version}"
        return read_deb(mirrors.fetch_pinned(package.path, package.sha256, called), package.name)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(read, lock.of(arch)))


def _started(files: Tree, arch: str, place: Path) -> Sequence[str]:
    """Write a root of this machine's architecture, and return the command of its Python."""
    for path, content in files.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_bytes(content)
    for path in ("python", f"lib/{LOADERS[arch]}"):
        (place / path).chmod(0o755)
    return ["/bin/sh", str(place / "python")]


def _drop_old(folder: Path) -> None:
    """Remove all archives but those that were used last."""
    kept = sorted(folder.glob("*.tar.gz"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in kept[KEPT_MOST:]:
        path.unlink(missing_ok=True)
