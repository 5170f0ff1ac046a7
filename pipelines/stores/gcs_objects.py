"""Objects in Google Cloud Storage: listed, looked at and moved, with an eye on damage."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
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
from pipelines.stores.connection import connect
from pipelines.stores.faults import cloud_faults, may_pass, service_host
from pipelines.stores.objects import ABSENT, NONCE, ObjectMissing, OtherVersion, StoredObject
from pipelines.stores.retrying import RetryPolicy

CHUNK_BYTES = 8 << 20
"""Part of an object that one request moves: a broken transfer goes on from the last whole part."""

_LARGE_BYTES = 1 << 20
_STREAMS = 4
"""Large objects fill the network with few streams; each holds a part in memory."""

_TRANSFERS = 3
"""Times that an object is sent or fetched anew when it arrives damaged."""

_DETAILS = "name,generation,size,crc32c,contentEncoding"

Answer = TypeVar("Answer")


class GcsObjects:
    """The ``Objects`` of a bucket of Google Cloud Storage.

    Args:
        uri: What the user wrote, named when something is amiss.
        bucket: Name of the bucket.
        policy: How long requests are tried.

    Raises:
        UserError: No credentials.
    """

    def __init__(self, uri: str, bucket: str, policy: RetryPolicy | None = None) -> None:
        self._uri = uri
        self._policy = policy or RetryPolicy()
        self._client: Any = connect(uri)
        self._bucket: Any = self._client.bucket(bucket)
        self._large = threading.BoundedSemaphore(_STREAMS)

    @property
    def service(self) -> str:
        """See ``Objects``."""
        return service_host()

    def check_access(self, prefix: str) -> None:
        """See ``Objects``.

        Listing is allowed to whoever may use objects; reading the bucket itself is not.
        """
        with cloud_faults(self._uri):
            try:
                next(self._list(prefix, "name", self._policy.opening, at_most=1), None)
            except AttributeError as error:  # the client library expects an object in each answer
                raise InvalidJSONError("the answer is no object") from error

    def list(self, prefix: str, *, details: bool = False) -> Iterator[StoredObject]:
        """See ``Objects``."""
        with cloud_faults(self._uri):
            fields = _DETAILS if details else "name"
            for blob in self._list(prefix, fields, self._policy, at_most=None):
                yield _found(blob)

    def look(self, name: str) -> StoredObject | None:
        """See ``Objects``."""
        with cloud_faults(self._uri):
            blob = self._bucket.get_blob(
                name, timeout=self._policy.timeout, retry=self._policy.retry(may_pass)
            )
            return _found(blob) if blob else None

    def copy(self, name: str, target: str) -> None:
        """See ``Objects``. The service copies a large one in several requests."""
        source, made, token = self._blob(name), self._blob(target), None
        with cloud_faults(self._uri):
            try:
                while True:
                    token, _, _ = made.rewrite(
                        source,
                        token=token,
                        timeout=self._policy.timeout,
                        retry=self._policy.retry(may_pass),
                    )
                    if token is None:
                        return
            except api.NotFound as error:
                raise ObjectMissing(name) from error

    def delete(self, name: str, version: str) -> bool:
        """See ``Objects``."""
        lost: list[BaseException] = []
        with cloud_faults(self._uri):
            try:
                self._blob(name).delete(
                    if_generation_match=int(version),
                    timeout=self._policy.timeout,
                    retry=self._policy.retry(may_pass, lost.append),
                )
            except api.NotFound:
                return bool(lost)
            except api.PreconditionFailed:
                return False
            return True

    def write(self, name: str, data: bytes | Path, version: str, nonce: str) -> None:
        """See ``Objects``."""
        generation = 0 if version == ABSENT else int(version)
        with cloud_faults(self._uri):
            try:
                self._undamaged(lambda: self._upload(name, data, generation, nonce))
            except api.PreconditionFailed as error:
                raise OtherVersion(name) from error

    def read(self, name: str, start: int = 0, end: int | None = None) -> bytes:
        """See ``Objects``."""
        whole = start == 0 and end is None
        return self._missing(
            name,
            lambda: self._download(
                self._blob(name),
                start=None if whole else start,
                end=None if end is None else end - 1,
                checksum="crc32c" if whole else None,
            ),
        )

    def fetch(self, name: str, path: Path, version: str | None = None) -> str:
        """See ``Objects``."""
        generation = int(version) if version else None
        return self._missing(name, lambda: self._fetch(name, path, generation))

    def _missing(self, name: str, transfer: Callable[[], Answer]) -> Answer:
        with cloud_faults(self._uri):
            try:
                return self._undamaged(transfer)
            except api.NotFound as error:
                raise ObjectMissing(name) from error

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
                retry=policy.retry(may_pass),
            )
        )

    def _upload(self, name: str, data: bytes | Path, generation: int, nonce: str) -> None:
        blob = self._blob(name)
        blob.metadata = {NONCE: nonce}
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
                retry=self._policy.retry(may_pass),
            )

    def _download(self, blob: Any, **wanted: Any) -> bytes:
        """Return a range of an object; beyond its end there is nothing."""
        try:
            return cast(
                "bytes",
                blob.download_as_bytes(
                    timeout=self._policy.timeout, retry=self._policy.retry(may_pass), **wanted
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
        blob.reload(timeout=self._policy.timeout, retry=self._policy.retry(may_pass))
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


def _found(blob: Any) -> StoredObject:
    """Return what was asked for; what was not is empty."""
    return StoredObject(
        blob.name,
        int(blob.size or 0),
        str(blob.generation or ""),
        blob.crc32c or "",
        blob.content_encoding or "",
        blob.metadata or {},
    )


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
