"""A proxy before an S3 service: requests fail on their way, or lose their conditions.

Requests go on as they came, so that signatures stay what they are. A service that does not hold
conditions is made of one that does: they are taken off, and the request is signed anew.
"""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self
from urllib.parse import parse_qs, urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.servers.gcs.faults import FaultKind, Faults, Operation
from tests.servers.s3.seaweedfs import ACCESS_KEY, SECRET_KEY

Conditions = Literal[
    "held", "ignored", "unknown", "looked at first", "looked at first by swaps", "ignored by delete"
]
_VERBS: dict[str, Operation] = {
    "PUT": "upload", "GET": "download", "HEAD": "stat", "DELETE": "delete", "POST": "compose",
}  # fmt: skip
_ERROR = (
    '<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{message}</Message>'
    "<RequestId>1</RequestId></Error>"
)
_REFUSED: dict[FaultKind, str] = {
    "429": _ERROR.format(code="SlowDown", message="Please reduce your request rate."),
    "503": _ERROR.format(code="ServiceUnavailable", message="Please try again."),
}


class S3Proxy:
    """Serves inside ``with``.

    Args:
        upstream: Address of the service.

    Attributes:
        url: Its own address.
        faults: What goes wrong; ``429`` is S3's SlowDown.
        conditions: What becomes of ``If-Match`` and ``If-None-Match``.
        requests: How many of each kind came.
        received_bytes: Bytes of bodies that came, by kind of request.
        sent_bytes: The same of answers.
        server_name: What the service calls itself, where it is not to be asked.
        before: Called with the kind of each request before it goes on.
    """

    def __init__(self, upstream: str) -> None:
        self._upstream = urlsplit(upstream).netloc
        self.faults = Faults()
        self.conditions: Conditions = "held"
        self.requests: Counter[Operation] = Counter()
        self.received_bytes: Counter[Operation] = Counter()
        self.sent_bytes: Counter[Operation] = Counter()
        self.server_name = ""
        self.before: Callable[[Operation], None] = lambda _: None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def ask(self, verb: str, path: str, headers: dict[str, str], body: bytes) -> Any:
        """Send a request on; the connection and the answer come back, its body unread."""
        connection = http.client.HTTPConnection(self._upstream, timeout=60)
        connection.request(verb, path, body, headers)
        return connection, connection.getresponse()

    def signed(self, verb: str, path: str, headers: dict[str, str]) -> dict[str, str]:
        """Return the headers of the same request with no conditions and a signature of its own."""
        dropped = {"if-match", "if-none-match", "authorization", "x-amz-date", "host"}
        kept = {name: value for name, value in headers.items() if name.lower() not in dropped}
        request = AWSRequest(verb, f"http://{headers['Host']}{path}", headers=kept)
        request.context["payload_signing_enabled"] = False
        kept.pop("X-Amz-Content-SHA256", None)
        S3SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "s3", "us-east-1").add_auth(request)
        return {**dict(request.headers.items()), "Host": headers["Host"]}

    def lacks(self, verb: str, headers: dict[str, str]) -> bool:
        """Whether a request is one whose conditions are not held."""
        names = {name.lower() for name in headers}
        if self.conditions == "looked at first by swaps":
            return "if-match" in names and verb == "PUT"
        verbs = {"held": (), "ignored by delete": ("DELETE",)}.get(self.conditions)
        asks = bool(names & {"if-match", "if-none-match"})
        return asks and verb in (verbs if verbs is not None else ("PUT", "DELETE"))

    def passes(self, path: str, headers: dict[str, str]) -> bool:
        """Look first, as a service does that then writes whatever has come in between."""
        wanted = {name.lower(): value for name, value in headers.items()}
        connection, answer = self.ask("HEAD", path, self.signed("HEAD", path, {
            "Host": headers["Host"], "X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD",
        }), b"")  # fmt: skip
        answer.read()
        connection.close()
        there = answer.status == 200
        time.sleep(0.05)
        if "if-none-match" in wanted:
            return not there
        return there and answer.headers["ETag"].strip('"') == wanted["if-match"].strip('"')


def _handler(proxy: S3Proxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle_request(self) -> None:
            operation = self._operation()
            proxy.requests[operation] += 1
            fault = proxy.faults.next(operation)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            proxy.received_bytes[operation] += len(body)
            if fault in _REFUSED:
                self._answer(503, {"Content-Type": "application/xml"}, _REFUSED[fault].encode())
                return
            if fault == "reset":
                self._cut()
                return
            if fault == "stall":
                time.sleep(proxy.faults.stall_s)
                self._cut()
                return
            if fault == "truncated" and operation == "upload":
                self._cut()
                return
            if fault == "corrupted" and operation == "upload" and body:
                body = _flipped(body)
            proxy.before(operation)
            self._pass_on(operation, fault, body)

        def _pass_on(self, operation: Operation, fault: FaultKind | None, body: bytes) -> None:
            headers = {
                name: value
                for name, value in self.headers.items()
                if name.lower() not in ("expect", "connection")
            }
            if proxy.lacks(self.command, headers):
                if proxy.conditions == "unknown":
                    refused = _ERROR.format(code="NotImplemented", message="A header is unknown.")
                    self._answer(501, {"Content-Type": "application/xml"}, refused.encode())
                    return
                if proxy.conditions.startswith("looked") and not proxy.passes(self.path, headers):
                    refused = _ERROR.format(code="PreconditionFailed", message="It does not hold.")
                    self._answer(412, {"Content-Type": "application/xml"}, refused.encode())
                    return
                headers = proxy.signed(self.command, self.path, headers)
            connection, answer = proxy.ask(self.command, self.path, headers, body)
            data = answer.read()
            connection.close()
            if fault == "lost":
                self._cut()
                return
            if fault == "corrupted" and operation == "download":
                data = _flipped(data)
            told = {n: v for n, v in answer.headers.items() if n.lower() != "connection"}
            if self.command != "HEAD":
                told = {n: v for n, v in told.items() if n.lower() != "transfer-encoding"}
                told["Content-Length"] = str(len(data))
            if proxy.server_name:
                told["Server"] = proxy.server_name
            proxy.sent_bytes[operation] += len(data)
            self._answer(answer.status, told, data, cut=fault == "truncated")

        def _operation(self) -> Operation:
            if self.command == "GET" and "list-type" in parse_qs(
                urlsplit(self.path).query, keep_blank_values=True
            ):
                return "list"
            return _VERBS[self.command]

        def _answer(
            self, status: int, headers: dict[str, str], body: bytes, *, cut: bool = False
        ) -> None:
            self.send_response_only(status)
            headers.setdefault("Content-Length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name, value)
            if cut and self.command == "HEAD":
                self._cut()  # an answer without a body is cut amid its headers
                return
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body[: len(body) // 2] if cut else body)
            if cut:
                self._cut()

        def _cut(self) -> None:
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

        do_PUT = do_GET = do_HEAD = do_DELETE = do_POST = handle_request  # noqa: N815

    return Handler


def _flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :] if data else data
