"""A store read through a cache: this machine never downloads a blob that it has."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import threading
import time
from collections.abc import Generator, Iterable, Iterator
from functools import partial
from pathlib import Path

from pipelines.stores import KeyMissing, Stat, Store
from pipelines.stores.directory import DirectoryStore
from pipelines.stores.threads import call_each

CACHE_BYTES = 20 << 30

_BLOB = re.compile(r"cas/sha256/(?:.*/)?([0-9a-f]{64})")
_MEASURED_SHARE = 20
_THREADS = 16


class ReadThroughStore:
    """The ``Store`` behind a folder that keeps blobs by their digest.

    Only keys ``cas/sha256/.../<digest>`` are kept: what they hold is known by name, so one folder
    serves any number of stores and processes, and a damaged file in it is found out (its digest
    differs), removed and downloaded again. Everything else goes straight to the store.

    Args:
        store: The store behind.
        folder: The cache.
        limit_bytes: What the cache holds at most; the longest unused goes first. The folder is
            measured each time a process has added a twentieth of this, so each may exceed it by
            as much.
    """

    def __init__(self, store: Store, folder: Path, limit_bytes: int = CACHE_BYTES) -> None:
        self._store = store
        # What a power cut damages is downloaded again: no need to wait for the disk.
        self._cache = DirectoryStore(folder, durable=False)
        self._limit_bytes = limit_bytes
        self._unmeasured_bytes = limit_bytes
        self._coming_bytes = 0  # of values that have room and may not be in the folder yet
        self._measuring = threading.Lock()

    @property
    def uri(self) -> str:
        """The place of the store behind."""
        return self._store.uri

    def put_if_absent(self, key: str, data: bytes | Path) -> bool:
        """See ``Store``. The next step on this machine has a blob without downloading it."""
        won = self._store.put_if_absent(key, data)
        if _digest(key):
            size_bytes = data.stat().st_size if isinstance(data, Path) else len(data)
            with self._room(size_bytes) as room:
                if room:
                    self._cache.put_if_absent(key, data)
        return won

    def put_many(self, items: Iterable[tuple[str, bytes | Path]]) -> tuple[bool, ...]:
        """See ``Store``."""
        return call_each(self.put_if_absent, items, _THREADS)

    def replace_if_match(self, key: str, data: bytes, version: str) -> bool:
        """See ``Store``."""
        return self._store.replace_if_match(key, data, version)

    def get(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """See ``Store``."""
        digest = _digest(key)
        if not digest or start or end is not None:
            return self._store.get(key, start, end)
        with contextlib.suppress(KeyMissing):
            data = self._cache.get(key)
            if hashlib.sha256(data).hexdigest() == digest:
                self._touch(key)
                return data
            self._drop(key)
        data = self._store.get(key)
        if hashlib.sha256(data).hexdigest() == digest:
            with self._room(len(data)) as room:
                if room:
                    self._cache.put_if_absent(key, data)
        return data

    def fetch(self, key: str, path: Path, *, link: bool = False) -> str:
        """See ``Store``."""
        digest = _digest(key)
        if not digest:
            return self._store.fetch(key, path, link=link)
        if self._cached(key, path, digest, link=link):
            return digest
        with self._cache.locked(key):
            # Another process may have downloaded it while this one waited.
            if self._cached(key, path, digest, link=link):
                return digest
            sha256 = self._store.fetch(key, path)
            if sha256 == digest:
                with self._room(path.stat().st_size) as room:
                    if room:
                        keep = self._cache.adopt if link else self._cache.put_if_absent
                        keep(key, path)
            return sha256

    def fetch_many(
        self, items: Iterable[tuple[str, Path]], *, link: bool = False
    ) -> tuple[str, ...]:
        """See ``Store``."""
        return call_each(partial(self.fetch, link=link), items, _THREADS)

    def stat(self, key: str) -> Stat | None:
        """See ``Store``. What only the cache holds is not in the store."""
        return self._store.stat(key)

    def stat_many(self, keys: Iterable[str]) -> tuple[Stat | None, ...]:
        """See ``Store``."""
        return self._store.stat_many(keys)

    def list(self, prefix: str) -> Iterator[str]:
        """See ``Store``."""
        return self._store.list(prefix)

    def delete_if_match(self, key: str, version: str) -> bool:
        """See ``Store``."""
        return self._store.delete_if_match(key, version)

    def _cached(self, key: str, path: Path, digest: str, *, link: bool) -> bool:
        """Put the cache's file at ``path`` if it holds what it should."""
        if self._cache.stat(key) is None:
            return False
        try:
            if self._cache.fetch(key, path, link=link) == digest:
                self._touch(key)
                return True
        except KeyMissing:  # another process just made room
            return False
        self._drop(key)
        path.unlink()
        return False

    def _touch(self, key: str) -> None:
        """Note that a file was used; reading does so only where the disk is mounted that way."""
        path = self._cache.path(key)
        # It may be gone by now, or another user's: then it is just not noted.
        with contextlib.suppress(FileNotFoundError, PermissionError):
            os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))

    def _drop(self, key: str) -> None:
        self._cache.path(key).unlink(missing_ok=True)

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
        """Remove what was not used for longest until the rest is this small."""
        found: list[tuple[int, int, Path]] = []
        for key in self._cache.list("cas/"):
            path = self._cache.path(key)
            with contextlib.suppress(FileNotFoundError):
                stat = path.stat()
                found.append((max(stat.st_atime_ns, stat.st_mtime_ns), stat.st_size, path))
        total_bytes = sum(size_bytes for _, size_bytes, _ in found)
        for _, size_bytes, path in sorted(found):
            if total_bytes <= limit_bytes:
                return
            path.unlink(missing_ok=True)
            total_bytes -= size_bytes


def _digest(key: str) -> str | None:
    """Return the digest of the blob under ``key``, or None when it is no blob."""
    found = _BLOB.fullmatch(key)
    return found[1] if found else None
