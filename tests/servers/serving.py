"""What the HTTP servers of tests have in common: each is a thread of the process, and reads quickly."""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class ConnectionCutError(Exception):
    """There is no answer: the connection ends with a reset."""


@dataclass(frozen=True)
class Answer:
    """A response; ``promised_bytes`` is its Content-Length where the body is cut short."""

    status: int
    body: bytes | memoryview = b""
    headers: tuple[tuple[str, str], ...] = ()
    promised_bytes: int | None = None

    @classmethod
    def of(cls, value: object, status: int = 200) -> Answer:
        return cls(status, json.dumps(value).encode(), (("Content-Type", "application/json"),))


class Server(ABC):
    """A server that answers inside ``with``.

    Args:
        port: Where to listen; 0 takes a free one.

    Attributes:
        url: Its address.
    """

    def __init__(self, port: int = 0) -> None:
        self._http = _HttpServer(("127.0.0.1", port), _Handler)
        self._http.owner = self
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening; connections that are open stay so until their clients go."""
        self._http.shutdown()
        self._http.server_close()

    @abstractmethod
    def answer(
        self, method: str, target: str, headers: dict[str, str], read: Callable[[float], bytes]
    ) -> Answer:
        """Answer one request.

        Args:
            method: HTTP verb.
            target: Path and query.
            headers: Names in lower case.
            read: Reads this share of the body.

        Raises:
            ConnectionCutError: The request gets no answer.
        """


class _Handler(BaseHTTPRequestHandler):
    """Reads requests off a kept-alive connection and sends the answers."""

    server: _HttpServer
    disable_nagle_algorithm = True
    rbufsize = 1 << 16

    def handle_one_request(self) -> None:
        # The header parser of the standard library takes longer than the rest of a small request.
        line = self.rfile.readline(65537)
        if not line.strip():
            self.close_connection = True
            return
        method, target, _ = line.decode("latin-1").split(" ", 2)
        headers: dict[str, str] = {}
        while (line := self.rfile.readline(65537)).strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        self.close_connection = headers.get("connection", "").lower() == "close"

        def read(share: float) -> bytes:
            return self._body(headers, share)

        try:
            self._send(self.server.owner.answer(method, target, headers, read))
        except ConnectionCutError:
            self._cut()

    def _body(self, headers: dict[str, str], share: float) -> bytes:
        """Read the body, or the first part of it."""
        if headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(int(headers.get("content-length") or 0) * share))
        parts: list[bytes] = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _send(self, answer: Answer) -> None:
        status = HTTPStatus(answer.status) if answer.status != 499 else HTTPStatus.OK
        length = len(answer.body) if answer.promised_bytes is None else answer.promised_bytes
        lines = [
            f"HTTP/1.1 {answer.status} {status.phrase}",
            f"Content-Length: {length}",
            *(f"{name}: {value}" for name, value in answer.headers),
            "\r\n",
        ]
        head = "\r\n".join(lines).encode("latin-1")
        if len(answer.body) < 1 << 16:
            self.connection.sendall(head + answer.body)
        else:
            self.connection.sendall(head)
            self.connection.sendall(answer.body)
        if length != len(answer.body):
            self.close_connection = True

    def _cut(self) -> None:
        """End the connection so that the other side sees a reset."""
        self.close_connection = True
        # A linger time of zero makes close() send RST and not FIN.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    owner: Server

    def shutdown_request(self, request: Any) -> None:
        linger = request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)
        if linger == struct.pack("ii", 1, 0):
            request.close()  # a shutdown first would send FIN
        else:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet about clients that went away; show bugs of the server."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)
