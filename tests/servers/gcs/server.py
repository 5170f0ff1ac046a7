"""A Google Cloud Storage server for tests: the JSON API as the client library uses it.

Unlike the emulators of the package index it enforces preconditions, so that "exactly one winner"
means something, and it fails on request the way a network and a busy service do. Objects live in
memory. In a test it is a thread of the process; ``python -m tests.servers.gcs.server --port 9000`` gives
one to other processes.

Go's client, which Kubeflow's launcher uses, reads objects by the XML API: ``GET /bucket/object``, with
``HEAD`` and ranges. Not here: access control beyond a forbidden bucket, object versioning, the rest of
the XML API, signed URLs.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote

from tests.servers.gcs.faults import FaultKind, Faults, Operation
from tests.servers.gcs.messages import Request, flipped
from tests.servers.gcs.storage import Bucket, GcsObject, RefusedError, Storage
from tests.servers.gcs.uploads import upload
from tests.servers.serving import Answer, ConnectionCutError, Server

_BUCKETS = re.compile(r"/storage/v1/b/?")
_BUCKET = re.compile(r"/storage/v1/b/([^/]+)")
_OBJECTS = re.compile(r"/storage/v1/b/([^/]+)/o")
_OBJECT = re.compile(r"(?:/download)?/storage/v1/b/([^/]+)/o/([^/]+)")
_COMPOSE = re.compile(r"/storage/v1/b/([^/]+)/o/([^/]+)/compose")
_COPY = re.compile(r"/storage/v1/b/([^/]+)/o/([^/]+)/(rewriteTo|copyTo)/b/([^/]+)/o/([^/]+)")
_UPLOAD = re.compile(r"(?:/resumable)?/upload/storage/v1/b/([^/]+)/o")
_XML_OBJECT = re.compile(r"/(?!storage/|upload/|download/|resumable/|batch/)([^/]+)/(.+)")
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class GcsServer(Server):
    """The server; its ``url`` is what ``STORAGE_EMULATOR_HOST`` has to be.

    Args:
        port: Where to listen; 0 takes a free one.
        faults: What goes wrong.
        latency_s: Wait before each answer, as a distant service makes one wait.
    """

    def __init__(self, port: int = 0, faults: Faults | None = None, latency_s: float = 0.0) -> None:
        super().__init__(port)
        self.storage = Storage()
        self.faults = faults or Faults()
        self.latency_s = latency_s
        self.requests: Counter[Operation] = Counter()
        self.received_bytes: Counter[Operation] = Counter()
        self.sent_bytes: Counter[Operation] = Counter()
        self.before: Callable[[Operation], None] = lambda _: None
        """Called before each request is looked at."""
        self._counting = threading.Lock()

    def bucket(self, name: str) -> Bucket:
        """Return a bucket, made without a request where there is none."""
        with self.storage.lock:
            return self.storage.buckets.get(name) or self.storage.make_bucket(name)

    @contextmanager
    def environment(self) -> Iterator[None]:
        """Point clients of this process, and of its children, at this server."""
        before = os.environ.get("STORAGE_EMULATOR_HOST")
        os.environ["STORAGE_EMULATOR_HOST"] = self.url
        try:
            yield
        finally:
            del os.environ["STORAGE_EMULATOR_HOST"]
            if before is not None:
                os.environ["STORAGE_EMULATOR_HOST"] = before

    def answer(
        self, method: str, target: str, headers: dict[str, str], read: Callable[[float], bytes]
    ) -> Answer:
        """See ``Server``; a request that is to fail does."""
        path, _, query = target.partition("?")
        given = dict(parse_qsl(query, keep_blank_values=True))
        operation = operation_of(method, path, given)
        with self._counting:
            self.requests[operation] += 1
        self.before(operation)
        fault = self.faults.next(operation)
        if fault == "truncated" and operation == "upload":
            read(0.5)
            raise ConnectionCutError
        body = read(1.0)
        with self._counting:
            self.received_bytes[operation] += len(body)
        request = Request(method, path, given, headers, body, corrupt=fault == "corrupted")
        time.sleep(self.latency_s)
        try:
            self._fail(fault)
            answer = _dispatch(self.storage, request)
        except RefusedError as refused:
            error = {"message": refused.message, "reason": refused.reason}
            answer = Answer.of(
                {"error": {"code": refused.status, "message": refused.message, "errors": [error]}},
                refused.status,
            )
        if fault == "lost":
            raise ConnectionCutError
        if fault == "truncated":
            half = answer.body[: len(answer.body) // 2]
            answer = Answer(answer.status, half, answer.headers, len(answer.body))
        if fault == "corrupted" and operation == "download" and answer.status < 300:
            answer = Answer(answer.status, flipped(answer.body), answer.headers)
        with self._counting:
            self.sent_bytes[operation] += len(answer.body)
        return answer

    def _fail(self, fault: FaultKind | None) -> None:
        if fault == "429":
            raise RefusedError(
                429, "The rate of requests to this bucket is too high.", "rateLimited"
            )
        if fault == "503":
            raise RefusedError(503, "We encountered an internal error. Try again.", "backendError")
        if fault == "stall":
            time.sleep(self.faults.stall_s)
        if fault in ("stall", "reset"):
            raise ConnectionCutError


def operation_of(method: str, path: str, query: dict[str, str]) -> Operation:
    """Say what a request is about."""
    if _UPLOAD.fullmatch(path):
        return "upload"
    if _COMPOSE.fullmatch(path) or _COPY.fullmatch(path):
        return "compose"
    if _OBJECTS.fullmatch(path):
        return "list"
    if _OBJECT.fullmatch(path):
        if method == "GET":
            return "download" if query.get("alt") == "media" else "stat"
        return "delete" if method == "DELETE" else "patch"
    if method in ("GET", "HEAD") and _XML_OBJECT.fullmatch(path):
        return "download" if method == "GET" else "stat"
    return "bucket"


def _dispatch(storage: Storage, request: Request) -> Answer:
    method, path, query = request.method, request.path, request.query
    if found := _UPLOAD.fullmatch(path):
        return upload(storage, request, unquote(found[1]))
    if found := _OBJECT.fullmatch(path):
        return _object(storage, request, unquote(found[1]), unquote(found[2]))
    if (found := _OBJECTS.fullmatch(path)) and method == "GET":
        return Answer.of(storage.listing(unquote(found[1]), query))
    if found := _COMPOSE.fullmatch(path):
        wanted = request.json()
        made = storage.compose(
            unquote(found[1]),
            unquote(found[2]),
            query,
            wanted["sourceObjects"],
            wanted.get("destination") or {},
        )
        return Answer.of(made.resource())
    if found := _COPY.fullmatch(path):
        bucket, name, verb, to_bucket, to_name = (unquote(part) for part in found.groups())
        source = storage.live(bucket, name, {})
        made = storage.copy(source, to_bucket, to_name, query)
        if verb == "copyTo":
            return Answer.of(made.resource())
        size = str(len(made.data))
        done = {"kind": "storage#rewriteResponse", "done": True, "resource": made.resource()}
        return Answer.of({**done, "objectSize": size, "totalBytesRewritten": size})
    if method in ("GET", "HEAD") and (found := _XML_OBJECT.fullmatch(path)):
        return _xml_object(storage, request, unquote(found[1]), unquote(found[2]))
    return _bucket(storage, request)


def _xml_object(storage: Storage, request: Request, bucket: str, name: str) -> Answer:
    """Answer as the XML API does; what is not there is told in XML."""
    try:
        answer = _media(storage.live(bucket, name, request.query), request.headers.get("range"))
    except RefusedError as refused:
        if refused.status != HTTPStatus.NOT_FOUND:
            raise
        code = "NoSuchKey" if bucket in storage.buckets else "NoSuchBucket"
        text = (
            f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code>"
            f"<Message>The specified {code[6:].lower()} does not exist.</Message></Error>"
        )
        body = b"" if request.method == "HEAD" else text.encode()
        return Answer(404, body, (("Content-Type", "application/xml; charset=UTF-8"),))
    if request.method == "HEAD":
        return Answer(answer.status, b"", answer.headers, len(answer.body))
    return answer


def _bucket(storage: Storage, request: Request) -> Answer:
    if _BUCKETS.fullmatch(request.path):
        if request.method == "POST":
            return Answer.of(storage.make_bucket(request.json()["name"]).resource())
        return Answer.of({"items": [bucket.resource() for bucket in storage.buckets.values()]})
    if found := _BUCKET.fullmatch(request.path):
        if request.method == "DELETE":
            storage.drop_bucket(found[1])
            return Answer(204)
        return Answer.of(storage.bucket(found[1]).resource())
    raise RefusedError(501, f"This server does not know {request.method} {request.path}")


def _object(storage: Storage, request: Request, bucket: str, name: str) -> Answer:
    query = request.query
    if request.method == "DELETE":
        storage.delete(bucket, name, query)
        return Answer(204)
    if request.method in ("PATCH", "PUT"):
        return Answer.of(storage.patch(bucket, name, query, request.json()).resource())
    found = storage.live(bucket, name, query)
    if query.get("alt") != "media":
        return Answer.of(found.resource())
    return _media(found, request.headers.get("range"))


def _media(found: GcsObject, wanted: str | None) -> Answer:
    size = len(found.data)
    headers = (
        ("Content-Type", found.content_type),
        ("X-Goog-Hash", found.hashes),
        ("X-Goog-Generation", str(found.generation)),
        ("X-Goog-Metageneration", str(found.metageneration)),
        ("X-Goog-Stored-Content-Length", str(size)),
        ("X-Goog-Stored-Content-Encoding", "identity"),
        ("ETag", f'"{found.md5}"'),
    )
    parsed = _RANGE.fullmatch(wanted or "")
    if not parsed:
        return Answer(200, memoryview(found.data), headers)
    start = int(parsed[1]) if parsed[1] else max(0, size - int(parsed[2]))
    end = min(int(parsed[2]) + 1, size) if parsed[1] and parsed[2] else size
    if start >= end:
        return Answer(416, b"", (("Content-Range", f"bytes */{size}"),))
    part = memoryview(found.data)[start:end]
    return Answer(206, part, (*headers, ("Content-Range", f"bytes {start}-{end - 1}/{size}")))


def main() -> None:
    """Serve until interrupted or terminated; then print how often which request failed on purpose."""
    parser = argparse.ArgumentParser(prog="python -m tests.servers.gcs.server", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--bucket", action="append", default=[], help="make this bucket")
    parser.add_argument("--faults", type=float, default=0.0, help="share of requests that fail")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--latency-ms", type=float, default=0.0)
    given = parser.parse_args()
    faults = Faults(given.faults, given.seed)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with GcsServer(given.port, faults, given.latency_ms / 1000) as server:
        for name in given.bucket:
            server.bucket(name)
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        with suppress(KeyboardInterrupt):
            threading.Event().wait()
    hit = {f"{operation} {kind}": count for (operation, kind), count in faults.hit.items()}
    sys.stdout.write(f"{json.dumps(hit)}\n")


if __name__ == "__main__":
    main()
