"""A store in a bucket of Google Cloud Storage.

Every write carries a generation precondition, so that among any number of writers one wins, and a
nonce in the object's metadata: when a reply is lost the client sends the request again and the
precondition then fails on this writer's own success, which the nonce tells from somebody else's.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import secrets
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar, cast

import google_crc32c
from google.api_core import exceptions as api
from google.cloud.storage.exceptions import DataCorruption  # pyright: ignore[reportMissingTypeStubs]

from pipelines.stores import KeyMissing, Stat, check_key, check_prefix
from pipelines.stores.connection import Patience, cloud_faults, connect, may_pass, parse_place
from pipelines.stores.disk import beside, disk_faults, write_all
from pipelines.stores.threads import call_each

CHUNK_BYTES = 8 << 20
"""Part of a value that one request moves: a broken transfer goes on from the last whole part."""

_NONCE = "slimline-nonce"
_LARGE_BYTES = 1 << 20
_THREADS = 16
"""Small values wait for the network, not for this machine."""

_STREAMS = 4
"""Large values fill the network with few streams; each holds a part in memory."""

_TRANSFERS = 3
"""Times that a value is sent or fetched anew when it arrives damaged."""

_OPEN = Patience(deadline_s=20.0)
"""A bucket that cannot be reached at the start is said sooner than one lost on the way."""

Answer = TypeVar("Answer")


class BucketStore:
    """The ``Store`` in a bucket.

    Args:
        uri: ``gs://bucket/prefix``.
        patience: How long requests are tried.

    Raises:
        UserError: Malformed URI, no credentials, a bucket that is missing, forbidden or not to be
            reached.
    """

    def __init__(self, uri: str, patience: Patience | None = None) -> None:
        name, self._prefix = parse_place(uri)
        self._patience = patience or Patience()
        self.uri = f"gs://{name}/{self._prefix}".rstrip("/")
        self._client: Any = connect(uri)
        self._bucket: Any = self._client.bucket(name)
        self._large = threading.BoundedSemaphore(_STREAMS)
        opening = _OPEN if self._patience.deadline_s > _OPEN.deadline_s else self._patience
        with cloud_faults(uri):
            # Listing is allowed to whoever may use objects; reading the bucket itself is not.
            for _ in self._names("", opening, at_most=1):
                break

    def put_if_absent(self, key: str, data: bytes | Path) -> bool:
        """See ``Store``."""
        return self._write(key, data, 0)

    def put_many(self, items: Iterable[tuple[str, bytes | Path]]) -> tuple[bool, ...]:
        """See ``Store``."""
        return call_each(self.put_if_absent, items, _THREADS)

    def replace_if_match(self, key: str, data: bytes, version: str) -> bool:
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
        whole = start == 0 and end is None
        return self._read(
            key,
            lambda: self._download(
                self._blob(key),
                start=None if whole else start,
                end=None if end is None else end - 1,
                checksum="crc32c" if whole else None,
            ),
        )

    def fetch(self, key: str, path: Path, *, link: bool = False) -> str:  # noqa: ARG002 always a copy
        """See ``Store``."""
        with disk_faults(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with beside(path) as unfinished:
                sha256 = self._read(key, lambda: self._fetch(key, unfinished))
                unfinished.replace(path)
            return sha256

    def fetch_many(
        self, items: Iterable[tuple[str, Path]], *, link: bool = False
    ) -> tuple[str, ...]:
        """See ``Store``."""
        return call_each(partial(self.fetch, link=link), items, _THREADS)

    def stat(self, key: str) -> Stat | None:
        """See ``Store``."""
        found = self._look(key)
        return Stat(int(found.size), str(found.generation)) if found else None

    def stat_many(self, keys: Iterable[str]) -> tuple[Stat | None, ...]:
        """See ``Store``."""
        return call_each(self.stat, ((key,) for key in keys), _THREADS)

    def list(self, prefix: str) -> Iterator[str]:
        """See ``Store``."""
        with cloud_faults(self.uri):
            for name in self._names(check_prefix(prefix), self._patience):
                key = name.removeprefix(self._prefix)
                with contextlib.suppress(ValueError):  # not ours: somebody put it there by hand
                    yield check_key(key)

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
                self._blob(key).delete(
                    if_generation_match=int(version),
                    timeout=self._patience.timeout,
                    retry=self._patience.retry(lost.append),
                )
            except api.NotFound:
                return bool(lost)
            except api.PreconditionFailed:
                return False
            return True

    def _blob(self, key: str, generation: int | None = None) -> Any:
        return self._bucket.blob(self._prefix + check_key(key), generation=generation)

    def _names(self, prefix: str, patience: Patience, at_most: int | None = None) -> Iterator[str]:
        found = self._client.list_blobs(
            self._bucket,
            prefix=self._prefix + prefix,
            max_results=at_most,
            fields="items(name),nextPageToken",
            timeout=patience.timeout,
            retry=patience.retry(),
        )
        return (blob.name for blob in found)

    def _look(self, key: str) -> Any:
        """Return the live object with its metadata, or None."""
        with cloud_faults(self.uri):
            return self._bucket.get_blob(
                self._prefix + check_key(key),
                timeout=self._patience.timeout,
                retry=self._patience.retry(),
            )

    def _write(self, key: str, data: bytes | Path, generation: int) -> bool:
        """Write a value if the live object has this generation (0: if there is none)."""
        check_key(key)
        nonce = secrets.token_hex(16)
        with cloud_faults(self.uri):
            try:
                self._undamaged(lambda: self._upload(key, data, generation, nonce))
            except api.PreconditionFailed:
                found = self._look(key)
                written: dict[str, str] = (found and found.metadata) or {}
                return written.get(_NONCE) == nonce
            return True

    def _read(self, key: str, transfer: Callable[[], Answer]) -> Answer:
        check_key(key)
        with cloud_faults(self.uri):
            try:
                return self._undamaged(transfer)
            except api.NotFound:
                raise KeyMissing(key) from None

    def _upload(self, key: str, data: bytes | Path, generation: int, nonce: str) -> None:
        blob = self._blob(key)
        blob.metadata = {_NONCE: nonce}
        blob.chunk_size = CHUNK_BYTES
        with contextlib.ExitStack() as stack:
            if isinstance(data, Path):
                stack.enter_context(disk_faults(data))
                source = stack.enter_context(data.open("rb"))
                size = os.fstat(source.fileno()).st_size
                upload = partial(blob.upload_from_file, source, size=size)
            else:
                size = len(data)
                upload = partial(blob.upload_from_string, data)
            if size > _LARGE_BYTES:
                stack.enter_context(self._large)
            upload(
                content_type="application/octet-stream",
                if_generation_match=generation,
                checksum="crc32c",
                timeout=self._patience.timeout,
                retry=self._patience.retry(),
            )

    def _download(self, blob: Any, **wanted: Any) -> bytes:
        """Return a range of an object; beyond its end there is nothing."""
        try:
            return cast(
                "bytes",
                blob.download_as_bytes(
                    timeout=self._patience.timeout, retry=self._patience.retry(), **wanted
                ),
            )
        except api.RequestRangeNotSatisfiable:
            return b""

    def _part(self, blob: Any, start: int) -> bytes:
        return self._download(
            blob,
            start=start,
            end=start + CHUNK_BYTES - 1,
            checksum=None,  # the service sends that of the whole object
            single_shot_download=True,
        )

    def _fetch(self, key: str, path: Path) -> str:
        """Download a value and return its sha256."""
        sha256 = hashlib.sha256()
        crc32c: Any = google_crc32c.Checksum()
        target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:

            def take(part: bytes) -> None:
                sha256.update(part)
                crc32c.update(part)
                write_all(target, part)

            blob = self._blob(key)
            first = self._part(blob, 0)
            take(first)
            if len(first) == CHUNK_BYTES:
                try:
                    self._fetch_rest(key, blob.generation, take)
                except api.NotFound as error:
                    raise DataCorruption(None, f"{key} was replaced as it was read") from error
        finally:
            os.close(target)
        # None: the value is empty, and the answer was that it has no such range.
        if blob.crc32c not in (None, base64.b64encode(crc32c.digest()).decode()):
            raise DataCorruption(None, f"{key} arrived with another crc32c than it was sent with")
        return sha256.hexdigest()

    def _fetch_rest(self, key: str, generation: int, take: Callable[[bytes], None]) -> None:
        """Download what follows the first part, many parts at a time, and hand it on in order."""
        blob = self._blob(key, generation)
        blob.reload(timeout=self._patience.timeout, retry=self._patience.retry())
        starts = iter(range(CHUNK_BYTES, blob.size, CHUNK_BYTES))
        with self._large, ThreadPoolExecutor(_STREAMS) as pool:

            def begin(count: int) -> list[Future[bytes]]:
                return [
                    pool.submit(self._part, self._blob(key, generation), start)
                    for start in islice(starts, count)
                ]

            coming = deque(begin(_STREAMS))
            while coming:
                part = coming.popleft().result()
                coming.extend(begin(1))
                take(part)

    def _undamaged(self, transfer: Callable[[], Answer]) -> Answer:
        """Make a transfer, a few times when the bytes arrive damaged.

        Raises:
            PreconditionFailed: It is a write, and the live object has another generation.
            NotFound: It is a read, and there is no such object.
            DataCorruption: It arrived damaged each time.
        """
        for left in reversed(range(_TRANSFERS)):
            try:
                return transfer()
            except (api.PreconditionFailed, api.NotFound):
                raise
            except Exception as error:
                # The client library reads the body of an error outside of its retries.
                if not (_is_damage(error) or may_pass(error)):
                    raise
                if not left:
                    raise DataCorruption(None, str(error)) from error
        raise AssertionError


def _is_damage(error: Exception) -> bool:
    """Whether the bytes, not the request, were at fault: the same transfer may then succeed.

    A session that is gone and a session that kept fewer bytes than it was sent, which the client
    library does not expect, also need the transfer from its beginning.
    """
    if isinstance(error, api.GoogleAPICallError):
        return error.code == HTTPStatus.GONE or (
            isinstance(error, api.BadRequest) and "match calculated" in str(error)
        )
    return isinstance(error, DataCorruption) or (
        isinstance(error, ValueError) and "unexpected state" in str(error)
    )
