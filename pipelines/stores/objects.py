"""Objects of a bucket under any name: listed, looked at and moved, with an eye on damage.

Nothing here turns an error into a ``UserError``: what "not found" means, only the caller knows.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar, cast

import google_crc32c
from google.api_core import exceptions as api
from google.cloud.storage.exceptions import DataCorruption  # pyright: ignore[reportMissingTypeStubs]
from requests.exceptions import InvalidJSONError

from pipelines.disk.files import disk_faults, write_all
from pipelines.stores.connection import RetryPolicy, connect
from pipelines.stores.faults import may_pass

CHUNK_BYTES = 8 << 20
"""Part of an object that one request moves: a broken transfer goes on from the last whole part."""

THREADS = 16
"""Small objects wait for the network, not for this machine."""

_LARGE_BYTES = 1 << 20
_STREAMS = 4
"""Large objects fill the network with few streams; each holds a part in memory."""

_TRANSFERS = 3
"""Times that an object is sent or fetched anew when it arrives damaged."""

_OPEN = RetryPolicy(deadline_s=20.0)
"""A bucket that cannot be reached at the start is said sooner than one lost on the way."""

Answer = TypeVar("Answer")


class Objects:
    """The objects of one bucket; each method may be called from any thread.

    Args:
        uri: What the user wrote, named when there are no credentials.
        bucket: Name of the bucket.
        policy: How long requests are tried.
    """

    def __init__(self, uri: str, bucket: str, policy: RetryPolicy | None = None) -> None:
        self._policy = policy or RetryPolicy()
        self._client: Any = connect(uri)
        self._bucket: Any = self._client.bucket(bucket)
        self._large = threading.BoundedSemaphore(_STREAMS)

    def check_access(self, prefix: str) -> None:
        """Ask for one object, so that a bucket that cannot be used is known at once.

        Listing is allowed to whoever may use objects; reading the bucket itself is not.

        Raises:
            InvalidJSONError: Whoever answers is no storage service.
        """
        opening = _OPEN if self._policy.deadline_s > _OPEN.deadline_s else self._policy
        try:
            next(self._list(prefix, "name", opening, at_most=1), None)
        except AttributeError as error:  # the client library expects an object in each answer
            raise InvalidJSONError("the answer is no object") from error

    def list(self, prefix: str, fields: str = "name") -> Iterator[Any]:
        """Yield the objects whose names begin so, in the order of names.

        Args:
            prefix: Any text.
            fields: What is asked for of each, as the service calls it.
        """
        return self._list(prefix, fields, self._policy, at_most=None)

    def look(self, name: str) -> Any:
        """Return the live object with all that is known of it, or None."""
        return self._bucket.get_blob(name, timeout=self._policy.timeout, retry=self._policy.retry())

    def delete(self, name: str, generation: int, tried_again: Callable[[Any], None]) -> None:
        """Remove the object if it is still the one of this generation.

        Raises:
            NotFound: There is none.
            PreconditionFailed: It is another one.
        """
        self._blob(name).delete(
            if_generation_match=generation,
            timeout=self._policy.timeout,
            retry=self._policy.retry(tried_again),
        )

    def write(
        self, name: str, data: bytes | Path, generation: int, metadata: Mapping[str, str]
    ) -> None:
        """Write an object if the live one has this generation (0: if there is none).

        Raises:
            PreconditionFailed: It has another one; also after a lost reply to the same write.
        """
        self._undamaged(lambda: self._upload(name, data, generation, metadata))

    def read(self, name: str, start: int = 0, end: int | None = None) -> bytes:
        """Return the bytes from ``start`` up to, not including, ``end`` (None: to the end).

        Raises:
            NotFound: There is no such object.
        """
        whole = start == 0 and end is None
        return self._undamaged(
            lambda: self._download(
                self._blob(name),
                start=None if whole else start,
                end=None if end is None else end - 1,
                checksum="crc32c" if whole else None,
            )
        )

    def fetch(self, name: str, path: Path, generation: int | None = None) -> str:
        """Write an object to a file, which is made or written over.

        Args:
            name: Which one.
            path: Where to, in a folder that is there.
            generation: Which generation; None takes the live one.

        Returns:
            The sha256 of its bytes.

        Raises:
            NotFound: There is no such object, or no longer of this generation.
        """
        return self._undamaged(lambda: self._fetch(name, path, generation))

    def _blob(self, name: str, generation: int | None = None) -> Any:
        return self._bucket.blob(name, generation=generation)

    def _list(
        self, prefix: str, fields: str, policy: RetryPolicy, at_most: int | None
    ) -> Iterator[Any]:
        return iter(
            self._client.list_blobs(
                self._bucket,
                prefix=prefix,
                max_results=at_most,
                fields=f"items({fields}),nextPageToken",
                timeout=policy.timeout,
                retry=policy.retry(),
            )
        )

    def _upload(
        self, name: str, data: bytes | Path, generation: int, metadata: Mapping[str, str]
    ) -> None:
        blob = self._blob(name)
        blob.metadata = dict(metadata)
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
                timeout=self._policy.timeout,
                retry=self._policy.retry(),
            )

    def _download(self, blob: Any, **wanted: Any) -> bytes:
        """Return a range of an object; beyond its end there is nothing."""
        try:
            return cast(
                "bytes",
                blob.download_as_bytes(
                    timeout=self._policy.timeout, retry=self._policy.retry(), **wanted
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

    def _fetch(self, name: str, path: Path, generation: int | None) -> str:
        """Download an object and return its sha256."""
        sha256 = hashlib.sha256()
        crc32c: Any = google_crc32c.Checksum()
        target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:

            def take(part: bytes) -> None:
                sha256.update(part)
                crc32c.update(part)
                write_all(target, part)

            blob = self._blob(name, generation)
            first = self._part(blob, 0)
            take(first)
            if len(first) == CHUNK_BYTES:
                try:
                    self._fetch_rest(name, generation or blob.generation, take)
                except api.NotFound as error:
                    if generation:
                        raise
                    raise DataCorruption(None, f"{name} was replaced as it was read") from error
        finally:
            os.close(target)
        # None: the object is empty, and the answer was that it has no such range.
        if blob.crc32c not in (None, base64.b64encode(crc32c.digest()).decode()):
            raise DataCorruption(None, f"{name} arrived with another crc32c than it was sent with")
        return sha256.hexdigest()

    def _fetch_rest(self, name: str, generation: int, take: Callable[[bytes], None]) -> None:
        """Download what follows the first part, many parts at a time, and hand it on in order."""
        blob = self._blob(name, generation)
        blob.reload(timeout=self._policy.timeout, retry=self._policy.retry())
        starts = iter(range(CHUNK_BYTES, blob.size, CHUNK_BYTES))
        with self._large, ThreadPoolExecutor(_STREAMS) as pool:

            def begin(count: int) -> list[Future[bytes]]:
                return [
                    pool.submit(self._part, self._blob(name, generation), start)
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
