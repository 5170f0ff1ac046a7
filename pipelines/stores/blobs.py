"""Blobs that this machine has, by their digest: what is there is never downloaded again."""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import shlex
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Final

from components.contract.errors import UserError
from pipelines.disk.files import disk_faults
from pipelines.stores.directory import DirectoryStore
from pipelines.stores.layout import BLOBS, blob_digest
from pipelines.stores.store import KeyMissing

CACHE_BYTES: Final = 20 << 30
LIMIT_FILE: Final = "limit_gib"
"""In the cache's folder: one number, how many GiB (2^30 bytes) of blobs it keeps at most.

A file and not a variable of the environment: every process that fills the folder has the same
limit, or the one with the smaller would throw away what the others keep.
"""

_MEASURED_SHARE = 20
_LIMIT_CHARACTERS = 32


def cache_limit(folder: Path) -> int:
    """Return how many bytes of blobs a cache keeps at most; ``CACHE_BYTES`` where nothing says so.

    Args:
        folder: The cache's, which need not be there.

    Raises:
        UserError: What its ``LIMIT_FILE`` says is no number above 0, or it cannot be read.
    """
    path = folder / LIMIT_FILE
    with disk_faults(path):
        try:
            with path.open("rb") as file:
                text = file.read(_LIMIT_CHARACTERS).decode(errors="replace").strip()
        except (FileNotFoundError, NotADirectoryError):  # the latter is told where it matters
            return CACHE_BYTES
    try:
        limit_gib = float(text)
    except ValueError:
        limit_gib = math.nan
    if not 0 < limit_gib < math.inf:
        raise UserError(
            f"{path} says {text!r}; expected how many GiB of downloads are kept, above 0",
            f"echo {CACHE_BYTES >> 30} > {shlex.quote(str(path))}",
        )
    return max(1, int(limit_gib * 2**30))


class BlobCache:
    """A folder of blobs under keys ``cas/sha256/.../<digest>``, for any number of processes.

    A damaged file in it is found out when it is read (its digest differs), removed, and read from
    where it came.

    Args:
        folder: Where.
        limit_bytes: What the folder holds at most (None: ``cache_limit``); the longest unused goes
            first. The folder is measured each time a process has added a twentieth of this, so
            each may exceed it by as much.

    Raises:
        UserError: See ``cache_limit``.
    """

    def __init__(self, folder: Path, limit_bytes: int | None = None) -> None:
        # What a power cut damages is downloaded again: no need to wait for the disk.
        self._folder = DirectoryStore(folder, durable=False)
        self._limit_bytes = cache_limit(folder) if limit_bytes is None else limit_bytes
        self._unmeasured_bytes = self._limit_bytes
        self._coming_bytes = 0  # of values that have room and may not be in the folder yet
        self._measuring = threading.Lock()

    def keep(self, key: str, data: bytes | Path, *, adopt: bool = False) -> None:
        """Have a blob from now on, if the folder may be as large.

        Args:
            key: The blob's.
            data: Its bytes, which are what the key says, or a file of them.
            adopt: Nobody writes into the file any more: the folder may make it its own.
        """
        size_bytes = data.stat().st_size if isinstance(data, Path) else len(data)
        with self._room(size_bytes) as room:
            if room and adopt and isinstance(data, Path):
                self._folder.adopt(key, data)
            elif room:
                self._folder.put_if_absent(key, data)

    def get(self, key: str, read: Callable[[], bytes]) -> bytes:
        """Return a blob; ``read`` is called, and its answer kept, where it is not here."""
        digest = blob_digest(key)
        assert digest, f"{key} is no blob"
        with contextlib.suppress(KeyMissing):
            data = self._folder.get(key)
            if hashlib.sha256(data).hexdigest() == digest:
                self._touch(key)
                return data
            self._drop(key)
        data = read()
        if hashlib.sha256(data).hexdigest() == digest:
            self.keep(key, data)
        return data

    def fetch(self, key: str, path: Path, download: Callable[[], str], *, link: bool) -> str:
        """Write a blob to a file.

        Args:
            key: The blob's.
            path: Where to; a file there is replaced.
            download: Writes it to ``path`` and returns its sha256; called where it is not here.
            link: The caller promises that nobody writes into the file at ``path``.

        Returns:
            The sha256 of what lies at ``path``, which is the key's unless ``download`` brought
            something else; that is not kept.
        """
        digest = blob_digest(key)
        assert digest, f"{key} is no blob"
        if self._has(key, path, digest, link=link):
            return digest
        with self._folder.locked(key):
            # Another process may have downloaded it while this one waited.
            if self._has(key, path, digest, link=link):
                return digest
            sha256 = download()
            if sha256 == digest:
                self.keep(key, path, adopt=link)
            return sha256

    @property
    def size_bytes(self) -> int:
        """How much the folder holds."""
        return sum(stat.st_size for _, stat in self._files())

    def _has(self, key: str, path: Path, digest: str, *, link: bool) -> bool:
        """Put the folder's file at ``path`` if it holds what it should."""
        if self._folder.stat(key) is None:
            return False
        try:
            if self._folder.fetch(key, path, link=link) == digest:
                self._touch(key)
                return True
        except KeyMissing:  # another process just made room
            return False
        self._drop(key)
        path.unlink()
        return False

    def _touch(self, key: str) -> None:
        """Note that a file was used; reading does so only where the disk is mounted that way."""
        path = self._folder.path(key)
        # It may be gone by now, or another user's: then it is just not noted.
        with contextlib.suppress(FileNotFoundError, PermissionError):
            os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))

    def _drop(self, key: str) -> None:
        self._folder.path(key).unlink(missing_ok=True)

    @contextlib.contextmanager
    def _room(self, size_bytes: int) -> Generator[bool]:
        """Make room for a value that is put meanwhile; False when the cache may not be as large.

        What other threads are putting is not in the folder yet when it is measured, so it counts
        beside what is.
        """
        with self._measuring:
            fits = self._coming_bytes + size_bytes <= self._limit_bytes
            if fits:
                self._coming_bytes += size_bytes
                self._unmeasured_bytes += size_bytes
            # Also beside what passes by: the limit may be lower than it was when the rest came.
            if self._unmeasured_bytes * _MEASURED_SHARE >= self._limit_bytes:
                self._evict(self._limit_bytes - self._coming_bytes)
                self._unmeasured_bytes = 0
        try:
            yield fits
        finally:
            if fits:
                with self._measuring:
                    self._coming_bytes -= size_bytes

    def _evict(self, limit_bytes: int) -> None:
        """Remove what was not used for longest until the rest is this small.

        What a running step uses is linked into its folder: to remove it here would free nothing.
        """
        found: list[tuple[int, int, Path]] = []
        used_bytes = 0
        for path, stat in self._files():
            if stat.st_nlink > 1:
                used_bytes += stat.st_size
            else:
                found.append((max(stat.st_atime_ns, stat.st_mtime_ns), stat.st_size, path))
        total_bytes = used_bytes + sum(size_bytes for _, size_bytes, _ in found)
        for _, size_bytes, path in sorted(found):
            if total_bytes <= limit_bytes:
                return
            path.unlink(missing_ok=True)
            total_bytes -= size_bytes

    def _files(self) -> Generator[tuple[Path, os.stat_result]]:
        """Yield every blob's file, without those that another process is just removing."""
        for key in self._folder.list(BLOBS):
            path = self._folder.path(key)
            with contextlib.suppress(FileNotFoundError):
                yield path, path.stat()
