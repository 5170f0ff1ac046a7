"""A store in a bucket.

Every write carries a precondition, so that among any number of writers one wins, and a nonce in
the object's metadata: when a reply is lost the client sends the request again and the
precondition then fails on this writer's own success, which the nonce tells from somebody else's.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

from pipelines.disk.cache_folder import cache_folder
from pipelines.disk.files import beside, disk_faults
from pipelines.stores.bucket_uri import parse_place, scheme_of
from pipelines.stores.call_each import call_each
from pipelines.stores.layout import PUBLIC
from pipelines.stores.objects import (
    ABSENT,
    NONCE,
    THREADS,
    ObjectMissing,
    OtherVersion,
    StoredObject,
)
from pipelines.stores.probing import probe_once
from pipelines.stores.retrying import RetryPolicy
from pipelines.stores.services import open_objects
from pipelines.stores.store import KeyMissing, Stat, check_key, check_prefix, is_key

Answer = TypeVar("Answer")


class BucketStore:
    """The ``Store`` in a bucket.

    Args:
        uri: ``gs://bucket/prefix``, or the same with ``s3`` or ``minio``.
        policy: How long requests are tried.
        root: Whether it is a pipeline root. There objects lie as pods write and read them, and
            the service need not hold conditions.
        memory: The folder in which this machine remembers what it probed; None is one of
            ``cache_folder``.

    Raises:
        UserError: Malformed URI, no credentials, a bucket that is missing, forbidden or not to be
            reached.
    """

    def __init__(
        self,
        uri: str,
        policy: RetryPolicy | None = None,
        *,
        root: bool = False,
        memory: Path | None = None,
    ) -> None:
        name, self._prefix = parse_place(uri)
        scheme = scheme_of(uri)
        self.uri = f"{scheme}://{name}/{self._prefix}".rstrip("/")
        self._root, self._memory = root, memory
        # Google's service is known to hold conditions, and a root needs none.
        self._probed = root or scheme == "gs"
        self._probing = threading.Lock()
        self._objects = open_objects(uri, name, policy, self._sealed)
        self._objects.check_access(self._prefix)

    def _sealed(self, name: str) -> bool:
        """Whether an object needs a seal: apps that read releases compare digests of all bytes."""
        return not self._root and not name.startswith(f"{self._prefix}{PUBLIC}")

    def _probe(self) -> None:
        """Make sure, before the first write, that the service lets one of several writers win."""
        with self._probing:
            if not self._probed:
                memory = self._memory or cache_folder() / "probed"
                probe_once(self._objects, self.uri, self._prefix, memory)
                self._probed = True

    def put_if_absent(self, key: str, data: bytes | Path) -> bool:
        """See ``Store``."""
        return self._write(key, data, ABSENT)

    def put_many(self, items: Iterable[tuple[str, bytes | Path]]) -> tuple[bool, ...]:
        """See ``Store``."""
        return call_each(self.put_if_absent, items, THREADS)

    def replace_if_match(self, key: str, data: bytes | Path, version: str) -> bool:
        """See ``Store``."""
        return self._write(key, data, version)

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

    def copy_many(self, items: Iterable[tuple[str, str]]) -> None:
        """Copy values within the bucket, many at a time, without their bytes passing this machine.

        Args:
            items: Key of each value and of its copy, where the same bytes or nothing lies.

        Raises:
            KeyMissing: There is no such value.
        """
        call_each(self._copy, items, THREADS)

    def _copy(self, key: str, target: str) -> None:
        self._found(key, lambda name: self._objects.copy(name, self._name(target)))

    def stat(self, key: str) -> Stat | None:
        """See ``Store``."""
        found = self._look(key)
        return Stat(found.size_bytes, found.version) if found else None

    def stat_many(self, keys: Iterable[str]) -> tuple[Stat | None, ...]:
        """See ``Store``."""
        return call_each(self.stat, ((key,) for key in keys), THREADS)

    def list(self, prefix: str) -> Iterator[str]:
        """See ``Store``."""
        for found in self._objects.list(self._prefix + check_prefix(prefix)):
            key = found.name.removeprefix(self._prefix)
            if is_key(key):
                yield key

    def foreign(self) -> Iterator[str]:
        """See ``Store``."""
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
        self._probe()
        return self._objects.delete(self._name(key), version)

    def _name(self, key: str) -> str:
        return self._prefix + check_key(key)

    def _look(self, key: str) -> StoredObject | None:
        """Return the live object with its metadata, or None."""
        return self._objects.look(self._name(key))

    def _write(self, key: str, data: bytes | Path, version: str) -> bool:
        """Write a value if the live object has this version."""
        name, nonce = self._name(key), secrets.token_hex(16)
        self._probe()
        try:
            self._objects.write(name, data, version, nonce)
        except OtherVersion:
            found = self._look(key)
            return found is not None and found.metadata.get(NONCE) == nonce
        return True

    def _found(self, key: str, read: Callable[[str], Answer]) -> Answer:
        try:
            return read(self._name(key))
        except ObjectMissing:
            raise KeyMissing(key) from None
