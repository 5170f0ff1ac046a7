"""A store in a bucket of Google Cloud Storage.

Every write carries a generation precondition, so that among any number of writers one wins, and a
nonce in the object's metadata: when a reply is lost the client sends the request again and the
precondition then fails on this writer's own success, which the nonce tells from somebody else's.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from google.api_core import exceptions as api

from pipelines.disk.files import beside, disk_faults
from pipelines.stores.bucket_uri import parse_place
from pipelines.stores.call_each import call_each
from pipelines.stores.connection import RetryPolicy
from pipelines.stores.faults import cloud_faults
from pipelines.stores.objects import THREADS, Objects
from pipelines.stores.store import KeyMissing, Stat, check_key, check_prefix, is_key

_NONCE = "slimline-nonce"

Answer = TypeVar("Answer")


class BucketStore:
    """The ``Store`` in a bucket.

    Args:
        uri: ``gs://bucket/prefix``.
        policy: How long requests are tried.

    Raises:
        UserError: Malformed URI, no credentials, a bucket that is missing, forbidden or not to be
            reached.
    """

    def __init__(self, uri: str, policy: RetryPolicy | None = None) -> None:
        name, self._prefix = parse_place(uri)
        self.uri = f"gs://{name}/{self._prefix}".rstrip("/")
        self._objects = Objects(uri, name, policy)
        with cloud_faults(uri):
            self._objects.check_access(self._prefix)

    def put_if_absent(self, key: str, data: bytes | Path) -> bool:
        """See ``Store``."""
        return self._write(key, data, 0)

    def put_many(self, items: Iterable[tuple[str, bytes | Path]]) -> tuple[bool, ...]:
        """See ``Store``."""
        return call_each(self.put_if_absent, items, THREADS)

    def replace_if_match(self, key: str, data: bytes | Path, version: str) -> bool:
        """See ``Store``."""
        return self._write(key, data, int(version))

    def get(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """See ``Store``."""
        if start < 0 or (end is not None and end < start):
            raise ValueError(f"no range of bytes: {start} to {end}")
        if end == start:
            if self.stat(key) is None:
                raise KeyMissing(key)
            return b""
        return self._found(key, lambda name: self._objects.read(name, start, end))

    def fetch(self, key: str, path: Path, *, link: bool = False) -> str:  # noqa: ARG002 always a copy
        """See ``Store``."""
        with disk_faults(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with beside(path) as unfinished:
                sha256 = self._found(key, lambda name: self._objects.fetch(name, unfinished))
                unfinished.replace(path)
            return sha256

    def fetch_many(
        self, items: Iterable[tuple[str, Path]], *, link: bool = False
    ) -> tuple[str, ...]:
        """See ``Store``."""
        return call_each(partial(self.fetch, link=link), items, THREADS)

    def stat(self, key: str) -> Stat | None:
        """See ``Store``."""
        found = self._look(key)
        return Stat(int(found.size), str(found.generation)) if found else None

    def stat_many(self, keys: Iterable[str]) -> tuple[Stat | None, ...]:
        """See ``Store``."""
        return call_each(self.stat, ((key,) for key in keys), THREADS)

    def list(self, prefix: str) -> Iterator[str]:
        """See ``Store``."""
        with cloud_faults(self.uri):
            for found in self._objects.list(self._prefix + check_prefix(prefix)):
                key = found.name.removeprefix(self._prefix)
                if is_key(key):
                    yield key

    def foreign(self) -> Iterator[str]:
        """See ``Store``."""
        with cloud_faults(self.uri):
            names = (found.name for found in self._objects.list(self._prefix))
            keys = (name.removeprefix(self._prefix) for name in names)
            yield from (key for key in keys if not is_key(key))

    def delete_if_match(self, key: str, version: str) -> bool:
        """See ``Store``.

        When the reply was lost and the value is gone at the next try, nobody can tell who did it:
        this call, which saw the value a moment before, then takes it for its own doing.
        """
        found = self.stat(key)
        if found is None or found.version != version:
            return False
        lost: list[BaseException] = []
        with cloud_faults(self.uri):
            try:
                self._objects.delete(self._name(key), int(version), lost.append)
            except api.NotFound:
                return bool(lost)
            except api.PreconditionFailed:
                return False
            return True

    def _name(self, key: str) -> str:
        return self._prefix + check_key(key)

    def _look(self, key: str) -> Any:
        """Return the live object with its metadata, or None."""
        with cloud_faults(self.uri):
            return self._objects.look(self._name(key))

    def _write(self, key: str, data: bytes | Path, generation: int) -> bool:
        """Write a value if the live object has this generation (0: if there is none)."""
        nonce = secrets.token_hex(16)
        with cloud_faults(self.uri):
            try:
                self._objects.write(self._name(key), data, generation, {_NONCE: nonce})
            except api.PreconditionFailed:
                found = self._look(key)
                written: dict[str, str] = (found and found.metadata) or {}
                return written.get(_NONCE) == nonce
            return True

    def _found(self, key: str, read: Callable[[str], Answer]) -> Answer:
        name = self._name(key)
        with cloud_faults(self.uri):
            try:
                return read(name)
            except api.NotFound:
                raise KeyMissing(key) from None
