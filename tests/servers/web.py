"""A web server for tests: it answers each request as it is told to, or breaks off amid an answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    """An answer.

    Attributes:
        body: What is sent; ``streamed`` sends it as one chunk of what may go on.
        cut: The connection ends where another chunk would come.
    """

    status: int = 200
    body: bytes = b""
    kind: str = "application/json"
    streamed: bool = False
    cut: bool = False

    @classmethod
    def of(cls, value: object, status: int = 200) -> Reply:
        return cls(status, json.dumps(value).encode())


@contextmanager
def web_server(answer: Callable[[str, str], Reply]) -> Iterator[str]:
    """Serve until the block ends.

    Args:
        answer: Gets the verb and the path with its query.

    Yields:
        Host and port.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline()
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            reply = answer(self.command, self.path)
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.kind)
            if reply.streamed or reply.cut:
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                self.wfile.write(b"%x\r\n%s\r\n" % (len(reply.body), reply.body))
                self.wfile.write(b"" if reply.cut else b"0\r\n\r\n")
                self.close_connection = self.close_connection or reply.cut
            else:
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
