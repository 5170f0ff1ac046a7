"""Objects in a service that speaks S3: listed, looked at and moved, with an eye on damage."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

from botocore import exceptions as boto  # pyright: ignore[reportMissingTypeStubs]
from botocore.parsers import ResponseParserError  # pyright: ignore[reportMissingTypeStubs]

from pipelines.disk.files import disk_faults, write_all
from pipelines.stores.objects import (
    ABSENT,
    NONCE,
    DamagedTransfer,
    ObjectMissing,
    OtherVersion,
    StoredObject,
)
from pipelines.stores.retrying import RetryPolicy
from pipelines.stores.s3_bodies import SHA256, TailedFile, digests_of, hold
from pipelines.stores.s3_connection import connect
from pipelines.stores.s3_faults import (
    code_of,
    is_damage,
    is_unknown,
    may_pass,
    s3_faults,
    status_of,
)
from pipelines.stores.sealing import SEAL_BYTES, is_seal, seal, unsealed

CHUNK_BYTES = 8 << 20
"""Part of an object that one request moves: a broken transfer goes on from the last whole part."""

_LARGE_BYTES = 1 << 20
_STREAMS = 4
_TRANSFERS = 3
_GONE = (404, 412)

Answer = TypeVar("Answer")


class S3Objects:
    """The ``Objects`` of a bucket of a service that speaks S3.

    Objects are written by one PUT each: with parts, SeaweedFS 4.48 lets several writers win.

    Args:
        uri: What the user wrote, named when something is amiss.
        bucket: Name of the bucket.
        policy: How long requests are tried.
        sealed: Whether the object of a name is sealed (see ``sealing.py``): without a seal, what
            is written again with the same bytes keeps its entity tag. Its version then has the
            nonce as well, which is compared before, not within, the write; and it is written also
            to a service that knows no conditions at all.

    Raises:
        UserError: See ``connect``.
    """

    def __init__(
        self,
        uri: str,
        bucket: str,
        policy: RetryPolicy | None = None,
        sealed: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._uri, self._bucket, self._sealed = uri, bucket, sealed
        self._policy = policy or RetryPolicy()
        self._client: Any = connect(uri, self._policy)
        self._large = threading.BoundedSemaphore(_STREAMS)
        self._server = ""

    @property
    def service(self) -> str:
        """Who answers, as far as it tells: its address and what it calls itself."""
        return f"{self._host} {self._server}".rstrip()

    @property
    def _host(self) -> str:
        return self._client.meta.endpoint_url

    def check_access(self, prefix: str) -> None:
        """See ``Objects``."""
        with s3_faults(self._uri, self._host):
            page = self._ask("list_objects_v2", self._policy.opening, Prefix=prefix, MaxKeys=1)
            if "Name" not in page:
                raise ResponseParserError("the answer to a listing names no bucket")
        self._server = page["ResponseMetadata"]["HTTPHeaders"].get("server", "")

    def list(self, prefix: str, *, details: bool = False) -> Iterator[StoredObject]:  # noqa: ARG002 a page has them all
        """See ``Objects``. SeaweedFS lists folder by folder, so all pages are read, then sorted.

        A size counts the seal, and a version knows no nonce: whoever needs them asks ``look``.
        """
        found: list[StoredObject] = []
        token: dict[str, Any] = {}
        with s3_faults(self._uri, self._host):
            while True:
                page = self._ask("list_objects_v2", self._policy, Prefix=prefix, **token)
                found += (
                    StoredObject(one["Key"], one["Size"], one["ETag"])
                    for one in page.get("Contents", ())
                )
                if not page.get("IsTruncated"):
                    break
                token = {"ContinuationToken": page["NextContinuationToken"]}
        yield from sorted(found, key=lambda one: one.name)

    def look(self, name: str) -> StoredObject | None:
        """See ``Objects``."""
        with s3_faults(self._uri, self._host):
            try:
                head = self._ask("head_object", self._policy, Key=name)
            except boto.ClientError as error:
                if status_of(error) == 404:
                    return None
                raise
            size = int(head["ContentLength"])
            metadata: dict[str, str] = head.get("Metadata", {})
            version = head["ETag"]
            if self._sealed(name):
                if NONCE in metadata or self._has_seal(name, size):
                    size -= SEAL_BYTES
            elif NONCE in metadata:
                version = f"{version} {metadata[NONCE]}"
            return StoredObject(name, size, version, "", head.get("ContentEncoding", ""), metadata)

    def read(self, name: str, start: int = 0, end: int | None = None) -> bytes:
        """See ``Objects``."""
        if start or end is not None:
            return self._range(name, start, end)
        with s3_faults(self._uri, self._host):
            return self._undamaged(name, partial(self._whole, name))

    def fetch(self, name: str, path: Path, version: str | None = None) -> str:
        """See ``Objects``."""
        with s3_faults(self._uri, self._host):
            return self._undamaged(name, partial(self._fetch, name, path, version))

    def write(self, name: str, data: bytes | Path, version: str, nonce: str) -> None:
        """See ``Objects``."""
        with s3_faults(self._uri, self._host):
            self._undamaged(name, partial(self._upload, name, data, version, nonce))

    def copy(self, name: str, target: str) -> None:
        """See ``Objects``."""
        source = {"Bucket": self._bucket, "Key": name}
        with s3_faults(self._uri, self._host):
            try:
                self._ask("copy_object", self._policy, Key=target, CopySource=source)
            except boto.ClientError as error:
                if status_of(error) != HTTPStatus.NOT_FOUND or code_of(error) == "NoSuchBucket":
                    raise
                raise ObjectMissing(name) from error

    def delete(self, name: str, version: str) -> bool:
        """See ``Objects``."""
        tag, _, nonce = version.partition(" ")
        if nonce and not self._is_current(name, version):
            return False
        lost: list[BaseException] = []
        with s3_faults(self._uri, self._host):
            try:
                self._ask("delete_object", self._policy, lost.append, Key=name, IfMatch=tag)
            except boto.ClientError as error:
                if is_unknown(error) and self._goes_without(name, version, error):
                    self._ask("delete_object", self._policy, Key=name)
                    return True
                if status_of(error) not in _GONE or code_of(error) == "NoSuchBucket":
                    raise
                return bool(lost) and self.look(name) is None
            return True

    def _is_current(self, name: str, version: str) -> bool:
        found = self.look(name)
        return found is not None and found.version == version

    def _ask(
        self,
        operation: str,
        policy: RetryPolicy,
        tried_again: Callable[[BaseException], None] | None = None,
        **arguments: Any,
    ) -> Any:
        """Make a request, again and again while it fails for a reason that may pass."""
        call = partial(getattr(self._client, operation), Bucket=self._bucket, **arguments)
        return policy.retry(may_pass, tried_again)(call)()

    def _get(self, name: str, **arguments: Any) -> tuple[bytes, Any]:
        """Return bytes of an object and the headers that came with them."""

        def got() -> tuple[bytes, Any]:
            answer = self._client.get_object(Bucket=self._bucket, Key=name, **arguments)
            with contextlib.closing(answer["Body"]) as body:
                return body.read(), answer

        return self._policy.retry(may_pass)(got)()

    def _part(self, name: str, start: int, end: int, tag: str = "") -> tuple[bytes, Any]:
        """Return a range of an object; beyond its end there is nothing."""
        arguments = {"IfMatch": tag} if tag else {}
        try:
            return self._get(name, Range=f"bytes={start}-{end - 1}", **arguments)
        except boto.ClientError as error:
            if code_of(error) == "InvalidRange" or status_of(error) == 416:
                return b"", {}
            raise

    def _has_seal(self, name: str, size: int) -> bool:
        """Whether an object that somebody copied here ends in a seal."""
        if size < SEAL_BYTES:
            return False
        return is_seal(self._part(name, size - SEAL_BYTES, size)[0])

    def _range(self, name: str, start: int, end: int | None) -> bytes:
        found = self.look(name)
        if found is None:
            raise ObjectMissing(name)
        end = found.size_bytes if end is None else min(end, found.size_bytes)
        if start >= end:
            return b""
        with s3_faults(self._uri, self._host):
            return self._undamaged(name, lambda: self._part(name, start, end)[0])

    def _whole(self, name: str) -> bytes:
        data, answer = self._get(name)
        if self._sealed(name):
            data = unsealed(data)
        hold(name, answer, hashlib.sha256(data).hexdigest())
        return data

    def _upload(self, name: str, data: bytes | Path, version: str, nonce: str) -> None:
        tag, _, expected = version.partition(" ")
        tail = seal(nonce) if self._sealed(name) else b""
        with contextlib.ExitStack() as stack:
            if isinstance(data, Path):
                stack.enter_context(disk_faults(data))
                source: BinaryIO = stack.enter_context(data.open("rb"))
            else:
                source = io.BytesIO(data)
            md5, sha256, size = digests_of(source, tail)
            if size > _LARGE_BYTES:
                stack.enter_context(self._large)
            # What is there already is not sent, and what has a nonce is compared here.
            if (expected and not self._is_current(name, version)) or (
                version == ABSENT and size > _LARGE_BYTES and self.look(name)
            ):
                raise OtherVersion(name)

            def sent() -> None:
                self._client.put_object(
                    Bucket=self._bucket,
                    Key=name,
                    Body=TailedFile(source, size - len(tail), tail),
                    ContentLength=size,
                    ContentMD5=md5,
                    ContentType="application/octet-stream",
                    Metadata={NONCE: nonce, SHA256: sha256},
                    **condition,
                )

            condition = _condition(tag)
            try:
                self._policy.retry(may_pass)(sent)()
            except boto.ClientError as error:
                if not self._goes_without(name, version, error):
                    raise
                condition = {}
                self._policy.retry(may_pass)(sent)()

    def _goes_without(self, name: str, version: str, error: boto.ClientError) -> bool:
        """Whether something may be done without the condition that a service does not know."""
        if self._sealed(name) or not is_unknown(error):
            return False
        found = self.look(name)
        there = found.version if found else ABSENT
        if there.partition(" ")[0] != version.partition(" ")[0]:
            raise OtherVersion(name) from error
        return True

    def _fetch(self, name: str, path: Path, version: str | None) -> str:
        """Download an object and return its sha256."""
        sha256 = hashlib.sha256()
        target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            first, answer = self._part(name, 0, CHUNK_BYTES, (version or "").partition(" ")[0])
            total = int(answer["ContentRange"].rpartition("/")[2]) if answer else 0
            held = b""

            def take(part: bytes) -> None:
                """Write all but what may be the seal."""
                nonlocal held
                held += part
                ready, held = held[:-SEAL_BYTES], held[-SEAL_BYTES:]
                sha256.update(ready)
                write_all(target, ready)

            take(first)
            if total > CHUNK_BYTES:
                self._fetch_rest(name, total, answer["ETag"], take)
            rest = unsealed(held) if self._sealed(name) else held
            sha256.update(rest)
            write_all(target, rest)
        except boto.ClientError as error:
            if status_of(error) == 412 and not version:
                raise DamagedTransfer(f"{name} was replaced as it was read") from error
            raise
        finally:
            os.close(target)
        hold(name, answer, sha256.hexdigest())
        return sha256.hexdigest()

    def _fetch_rest(self, name: str, total: int, tag: str, take: Callable[[bytes], None]) -> None:
        """Download what follows the first part, many parts at a time, and hand it on in order."""
        starts = iter(range(CHUNK_BYTES, total, CHUNK_BYTES))
        with self._large, ThreadPoolExecutor(_STREAMS) as pool:

            def begin(count: int) -> list[Future[tuple[bytes, Any]]]:
                return [
                    pool.submit(self._part, name, start, min(start + CHUNK_BYTES, total), tag)
                    for start in islice(starts, count)
                ]

            coming = deque(begin(_STREAMS))
            while coming:
                part, _ = coming.popleft().result()
                coming.extend(begin(1))
                take(part)

    def _undamaged(self, name: str, transfer: Callable[[], Answer]) -> Answer:
        """Make a transfer, a few times when the bytes arrive damaged.

        Raises:
            OtherVersion: It is a write, and the live object has another version.
            ObjectMissing: It is a read, and there is no such object, or none of this version.
            DamagedTransfer: It arrived damaged each time.
        """
        for left in reversed(range(_TRANSFERS)):
            try:
                return transfer()
            except boto.ClientError as error:
                if status_of(error) in _GONE and code_of(error) != "NoSuchBucket":
                    missing = cast("Any", error).operation_name == "GetObject"
                    raise (ObjectMissing(name) if missing else OtherVersion(name)) from error
                if not is_damage(error) or not left:
                    raise
            except (DamagedTransfer, boto.FlexibleChecksumError):
                if not left:
                    raise
        raise AssertionError


def _condition(tag: str) -> dict[str, str]:
    """Return what a write expects to find: the object of an entity tag, or none."""
    return {"IfMatch": tag} if tag else {"IfNoneMatch": "*"}
