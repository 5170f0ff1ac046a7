"""What a directory store is about to keep: files that are being written, and locks on keys."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import time
import zlib
from collections.abc import Generator
from pathlib import Path

from pipelines.disk.files import copy, make_folders, write_all

_LOCKS = "locks"
_LOCK_COUNT = 256
_STALE_S = 60.0
"""A temporary file is locked within microseconds of its creation; unlocked this long after, its
writer is dead."""

MODE = 0o444
"""Values never change in place; replacing one is a rename."""


class UnfinishedFiles:
    """A folder of temporary files, on the file system of the store.

    Args:
        folder: Where; the first write makes it.
        durable: Wait for the disk.
    """

    def __init__(self, folder: Path, *, durable: bool) -> None:
        self._folder = folder
        self._durable = durable
        self._swept = False

    @contextlib.contextmanager
    def write(self, data: bytes | Path) -> Generator[Path]:
        """Give a synced temporary file that holds ``data``; it is gone afterwards."""
        if not self._swept:
            make_folders(self._folder)
            self._sweep()
            self._swept = True
        path = self._folder / f"{os.getpid()}-{secrets.token_hex(8)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            target = os.open(path, flags, MODE)
        except FileNotFoundError:  # somebody removed the folder since
            make_folders(self._folder)
            target = os.open(path, flags, MODE)
        try:
            fcntl.flock(target, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if isinstance(data, Path):
                source = os.open(data, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    copy(source, target)
                finally:
                    os.close(source)
            else:
                write_all(target, data)
            # The kernel's own stamps come in ticks of milliseconds: two versions could be equal.
            now = time.time_ns()
            os.utime(target, ns=(now, now))
            if self._durable:
                os.fsync(target)
            yield path
        finally:
            with contextlib.suppress(OSError):  # a later writer sweeps it away
                path.unlink(missing_ok=True)
            os.close(target)

    def _sweep(self) -> None:
        """Remove the temporary files of dead writers; a live one holds a lock on its own."""
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if not entry.is_file(
                    follow_symlinks=False
                ):  # locks, and the scratch folders of runs
                    continue
                with contextlib.suppress(FileNotFoundError, BlockingIOError):
                    if time.time() - entry.stat().st_mtime < _STALE_S:
                        continue
                    opened = os.open(entry.path, os.O_RDONLY | os.O_CLOEXEC)
                    try:
                        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        Path(entry).unlink()
                    finally:
                        os.close(opened)

    @contextlib.contextmanager
    def locked(self, key: str) -> Generator[None]:
        """Keep others, threads and processes, from replacing or deleting this key.

        Some other keys are kept so, too: whoever holds one lock must not ask for a second.
        """
        folder = self._folder / _LOCKS
        make_folders(folder)
        path = folder / f"{zlib.crc32(key.encode()) % _LOCK_COUNT:02x}"
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)
