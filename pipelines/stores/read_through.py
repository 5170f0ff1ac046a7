"""A store read through a cache: this machine never downloads a blob that it has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from pipelines.stores.blobs import BlobCache
from pipelines.stores.call_each import call_each
from pipelines.stores.layout import blob_digest
from pipelines.stores.store import Stat, Store

_THREADS = 16


class ReadThroughStore:
    """The ``Store`` behind a folder that keeps blobs by their digest.

    Only keys ``cas/sha256/.../<digest>`` are kept: what they hold is known by name, so one folder
    serves any number of stores. Everything else goes straight to the store.

    Args:
        store: The store behind.
        folder: The cache.
        limit_bytes: See ``BlobCache``.

    Raises:
        UserError: See ``cache_limit``.
    """

    def __init__(self, store: Store, folder: Path, limit_bytes: int | None = None) -> None:
        self._store = store
        self._blobs = BlobCache(folder, limit_bytes)

    @property
    def uri(self) -> str:
        """The place of the store behind."""
        return self._store.uri

    @property
    def behind(self) -> Store:
        """The store behind, for who must know what it still holds."""
        return self._store

    def put_if_absent(self, key: str, data: bytes | Path) -> bool:
        """See ``Store``. The next step on this machine has a blob without downloading it."""
        won = self._store.put_if_absent(key, data)
        if blob_digest(key):
            self._blobs.keep(key, data)
        return won

    def put_many(self, items: Iterable[tuple[str, bytes | Path]]) -> tuple[bool, ...]:
        """See ``Store``."""
        return call_each(self.put_if_absent, items, _THREADS)

    def replace_if_match(self, key: str, data: bytes | Path, version: str) -> bool:
        """See ``Store``."""
        return self._store.replace_if_match(key, data, version)

    def get(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """See ``Store``."""
        if not blob_digest(key) or start or end is not None:
            return self._store.get(key, start, end)
        return self._blobs.get(key, lambda: self._store.get(key))

    def fetch(self, key: str, path: Path, *, link: bool = False) -> str:
        """See ``Store``."""
        if not blob_digest(key):
            return self._store.fetch(key, path, link=link)
        return self._blobs.fetch(key, path, lambda: self._store.fetch(key, path), link=link)

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

    def foreign(self) -> Iterator[str]:
        """See ``Store``."""
        return self._store.foreign()

    def delete_if_match(self, key: str, version: str) -> bool:
        """See ``Store``."""
        return self._store.delete_if_match(key, version)
