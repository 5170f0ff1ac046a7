"""Files of this machine: copied with their digest, and faults said clearly."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from components.contract.errors import UserError

CHUNK_BYTES = 4 << 20
"""Large enough that a thread switch a chunk costs nothing, small enough to stay in cache."""

_FAULTS = {
    errno.ENOSPC: ("the disk is full", "free some space there, or name a folder on another disk"),
    errno.EDQUOT: ("the disk quota is used up", "free some space there, or name another folder"),
    errno.EROFS: ("the file system is read-only", "name a folder that can be written"),
    errno.EACCES: ("permission denied", "give this user the right (chmod, chown), or name another"),
    errno.EPERM: ("not permitted", "give this user the right (chmod, chown), or name another"),
    errno.ENOENT: ("there is no such place, and none can be made", "name another folder"),
    errno.EEXIST: ("something stands where a folder is expected", "move it away, or name another"),
    errno.ENOTDIR: ("a file stands where a folder is expected", "move it away, or name another"),
    errno.EISDIR: ("a folder stands where a file is expected", "move it away, or name another"),
    errno.ELOOP: ("links lead to each other in a loop", "remove them, or name another"),
    errno.EIO: ("the disk gave an input/output error", "check the disk (dmesg), or name another"),
    errno.ENAMETOOLONG: ("the path is too long", "name a folder with a shorter path"),
    errno.ENOLCK: ("the file system gives no locks", "name a folder on a local disk"),
    errno.EMFILE: ("too many files are open", "raise the limit: ulimit -n 4096"),
    errno.ENFILE: ("too many files are open on this machine", "end what else runs, then run again"),
    errno.ESTALE: ("the network file system lost the folder", "mount it again, then run again"),
}


@contextlib.contextmanager
def disk_faults(path: Path) -> Generator[None]:
    """Turn what a user can put right into a ``UserError`` that names ``path``."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FAULTS:
            raise
        what, fix = _FAULTS[error.errno]
        raise UserError(f"{path}: {what}", fix) from error


_OF_THE_MACHINE = (
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EMFILE,
    errno.ENFILE, errno.ESTALE, errno.ENOLCK,
)  # fmt: skip
"""Faults that a correct program meets at any call, on any path."""


def fault_of(error: OSError) -> UserError | None:
    """Return what a machine lacks as an error with its fix; None where a program may be at fault.

    Args:
        error: What a call failed with where no ``disk_faults`` stands around it.
    """
    if error.errno not in _OF_THE_MACHINE:
        return None
    what, fix = _FAULTS[error.errno]
    where = f"{error.filename}: " if isinstance(error.filename, str) else ""
    return UserError(f"{where}{what}", fix)


def write_all(target: int, data: bytes | memoryview) -> None:
    """Write all of ``data`` to a file descriptor."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(target, rest) :]


def copy(source: int, target: int) -> None:
    """Copy the rest of one open file to another, inside the kernel where it can."""
    in_kernel = True
    while True:
        if in_kernel:
            try:
                if not os.copy_file_range(source, target, 1 << 30):
                    return
            except OSError as error:
                # Across or unsupported file systems, and special ones such as /proc.
                if error.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
                    raise
                in_kernel = False
        else:
            block = os.read(source, CHUNK_BYTES)
            if not block:
                return
            write_all(target, block)


def copy_hashed(source: int, target: int | None) -> str:
    """Read the rest of an open file once; return its sha256.

    Args:
        source: File descriptor to read.
        target: File descriptor that gets the same bytes, or None to hash alone. One thread hashes
            a chunk while this one writes it.
    """
    sha256 = hashlib.sha256()
    block = os.read(source, CHUNK_BYTES)
    if target is None or len(block) < CHUNK_BYTES:
        while block:
            sha256.update(block)
            if target is not None:
                write_all(target, block)
            block = os.read(source, CHUNK_BYTES)
        return sha256.hexdigest()
    with ThreadPoolExecutor(1) as pool:
        while block:
            hashed = pool.submit(sha256.update, block)
            write_all(target, block)
            block = os.read(source, CHUNK_BYTES)
            hashed.result()
    return sha256.hexdigest()


def sync_folder(folder: Path) -> None:
    """Make what was linked into or removed from a folder survive a power cut."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def make_folders(folder: Path) -> None:
    """Make a folder and those above it, durably; other processes may do so at the same time."""
    try:
        folder.mkdir()
    except FileExistsError:
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), folder) from None
        return
    except FileNotFoundError:
        make_folders(folder.parent)
        make_folders(folder)
        return
    sync_folder(folder.parent)


@contextlib.contextmanager
def beside(path: Path) -> Generator[Path]:
    """Give a name next to ``path`` for an unfinished file, which is gone afterwards."""
    name = path.with_name(f".{path.name[:200]}.{secrets.token_hex(8)}")
    try:
        yield name
    finally:
        with contextlib.suppress(OSError):  # what kept it from being written is the fault to tell
            name.unlink()
