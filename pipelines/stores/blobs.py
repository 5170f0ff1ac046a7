"""Blobs that this machine has, by their digest: what is there is never downloaded again."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path

from pipelines.stores.directory import DirectoryStore
from pipelines.stores.layout import BLOBS, blob_digest
from pipelines.stores.store import KeyMissing

CACHE_BYTES = 20 << 30

_MEASURED_SHARE = 20


class BlobCache:
    """A folder of blobs under keys ``cas/sha256/.../<digest>``, for any number of processes.

    A damaged file in it is found out when it is read (its digest differs), removed, and read from
    where it came.

    Args:
        folder: Where.
        limit_bytes: What the folder holds at most; the longest unused goes first. The folder is
            measured each time a process has added a twentieth of this, so each may exceed it by
            as much.
    """

    def __init__(self, folder: Path, limit_bytes: int = CACHE_BYTES) -> None:
        # What a power cut damages is downloaded again: no need to wait for the disk.
        self._folder = DirectoryStore(folder, durable=False)
        self._limit_bytes = limit_bytes
        self._unmeasured_bytes = limit_bytes
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
        for key in self._folder.list(BLOBS):
            path = self._folder.path(key)
            with contextlib.suppress(FileNotFoundError):
                stat = path.stat()
                if stat.st_nlink > 1:
                    used_bytes += stat.st_size
                    continue
                found.append((max(stat.st_atime_ns, stat.st_mtime_ns), stat.st_size, path))
        total_bytes = used_bytes + sum(size_bytes for _, size_bytes, _ in found)
        for _, size_bytes, path in sorted(found):
            if total_bytes <= limit_bytes:
                return
            path.unlink(missing_ok=True)
            total_bytes -= size_bytes
