"""The page and what it loads, served to this machine alone; what the page posts is taken."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import SimpleQueue
from typing import Any, ClassVar, cast

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript",
    ".json": "application/json",
    ".wasm": "application/wasm",
}
_POSTED_BYTES_MAX = 64 << 20


@dataclass(frozen=True)
class Posted:
    """What the page posted.

    Attributes:
        what: ``blocks/begin``, ``blocks/end``, ``done`` or ``failed``.
        document: The JSON of it.
    """

    what: str
    document: Mapping[str, Any]


@dataclass(frozen=True)
class Serving:
    """A server that runs.

    Attributes:
        url: Of the page, with a secret in its path, so that nobody else's page finds it.
        posted: What the page posts, as it comes.
        served: Paths of what was asked for and found, in that order.
    """

    url: str
    posted: SimpleQueue[Posted]
    served: list[str]


@contextmanager
def serving(
    files: Mapping[str, Path | bytes], seen: Callable[[str], None] = lambda _: None
) -> Generator[Serving]:
    """Serve files on a port of the loopback interface until the block ends.

    The page is isolated from other origins: only such pages have threads and a clock of
    5 microseconds.

    Args:
        files: What lies under which path, relative to the page; a folder stands for all below it.
        seen: Is told what is posted before it is answered, in the thread of that request.
    """
    secret = secrets.token_urlsafe(16)
    posted: SimpleQueue[Posted] = SimpleQueue()
    served: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        isolation: ClassVar[Mapping[str, str]] = {
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Embedder-Policy": "require-corp",
            # Threads load the same script again; the browser itself begins with an empty cache.
            "Cache-Control": "max-age=3600",
        }

        def do_GET(self) -> None:
            path = self.path.removeprefix(f"/{secret}/").partition("?")[0]
            content = None if path == self.path else content_of(files, path or "page.html")
            kind = _TYPES.get(Path(path or "page.html").suffix, "application/octet-stream")
            if content is not None:
                served.append(path)
            self._answer(404 if content is None else 200, content or b"", kind)

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            what = self.path.removeprefix(f"/{secret}/")
            if what == self.path or length > _POSTED_BYTES_MAX:
                self._answer(404, b"", "text/plain")
                self.close_connection = True
                return
            document = cast("dict[str, Any]", json.loads(self.rfile.read(length)))
            seen(what)
            posted.put(Posted(what, document))
            self._answer(200, b"", "text/plain")

        def _answer(self, status: int, content: bytes, kind: str) -> None:
            self.send_response(status)
            for name, value in self.isolation.items():
                self.send_header(name, value)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing: a step's output is its own."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield Serving(f"http://127.0.0.1:{server.server_port}/{secret}/", posted, served)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def content_of(files: Mapping[str, Path | bytes], path: str) -> bytes | None:
    """Return what is served under a path, or None.

    Args:
        files: See ``serving``.
        path: As the browser asks for it; never one that leads out of a folder.
    """
    whole = files.get(path)
    if isinstance(whole, bytes):
        return whole
    if whole is not None and whole.is_file():
        return whole.read_bytes()
    folder, _, rest = path.partition("/")
    base = files.get(folder)
    if not isinstance(base, Path) or ".." in rest.split("/"):
        return None
    file = base / rest
    return file.read_bytes() if file.is_file() else None
