"""What requests came to, counted for ``/metrics``."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_METHODS = ("GET", "HEAD", "POST")


class RequestCounts:
    """Requests by method and status, and how long they took; for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, int]] = Counter()
        self._took_s = 0.0

    def add(self, method: str, status: int, took_s: float) -> None:
        """Count a request that was answered."""
        with self._lock:
            self._counts[method if method in _METHODS else "other", status] += 1
            self._took_s += took_s

    def read(self) -> tuple[Mapping[tuple[str, int], int], float]:
        """Return how many there were of each method and status, and all of their seconds."""
        with self._lock:
            return dict(self._counts), self._took_s


class CountGuard:
    """Counts what is answered, refusals of the guards inside it included.

    Args:
        app: What answers.
        counts: Where to.
    """

    def __init__(self, app: ASGIApp, counts: RequestCounts) -> None:
        self._app = app
        self._counts = counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, and count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, began = 500, time.monotonic()

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sent)
        finally:
            self._counts.add(scope["method"], status, time.monotonic() - began)
