"""A server of files as Google Cloud Storage serves public objects: ranges, ETag, x-goog-hash.

It breaks off, refuses and damages as it is told to.
"""

from __future__ import annotations

import base64
import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class WeightsServer:
    """What is served, and how.

    Attributes:
        url: Its address.
        files: Content by path.
        statuses: Answers to the next requests in place of the file.
        cuts: After how many bytes the next answers break off.
        hashes: Whether the checksum of the object is sent.
        ranges: Whether the rest of a file can be asked for.
        damage: Whether the last byte arrives as another.
        asked: Path and range of every request.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    statuses: list[int] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    hashes: bool = True
    ranges: bool = True
    damage: bool = False
    asked: list[tuple[str, str]] = field(default_factory=list)


@contextmanager
def weights_server() -> Iterator[WeightsServer]:
    """Serve until the block ends."""
    state = WeightsServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append((self.path, self.headers.get("Range", "")))
            status = state.statuses.pop(0) if state.statuses else 200
            if status == 200 and self.path not in state.files:
                status = 404
            if status != 200:
                self.send_error(status)
                return
            self.send_file(state.files[self.path])

        def send_file(self, content: bytes) -> None:
            sent = content[:-1] + bytes([content[-1] ^ 1]) if state.damage else content
            etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
            wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            begin = 0
            if wanted and state.ranges and self.headers.get("If-Range") == etag:
                begin = int(wanted[1])
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {begin}-{len(sent) - 1}/{len(sent)}")
            else:
                self.send_response(200)
            self.send_header("ETag", etag)
            self.send_header("Content-Length", str(len(sent) - begin))
            if state.hashes:
                md5 = base64.b64encode(hashlib.md5(content).digest()).decode()
                self.send_header("x-goog-hash", f"crc32c=AAAAAA==,md5={md5}")
            self.end_headers()
            cut = state.cuts.pop(0) if state.cuts else len(sent)
            self.wfile.write(sent[begin : begin + cut])

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
