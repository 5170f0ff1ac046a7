"""Bounds of requests: how large, how slow, how many at a time.

How slowly a request begins and an answer is read, and how many connections there are, is bounded
where connections are: ``connections.py``.
"""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipelines.web.security.plain import header, refuse

BODY_BYTES, BODY_S, AT_ONCE = 64 * 1024, 10.0, 64


class BodyGuard:
    """Reads the body of a request before anything else sees it, within bounds.

    Args:
        app: What answers.
        body_s: In how many seconds a body has to be there.
    """

    def __init__(self, app: ASGIApp, body_s: float = BODY_S) -> None:
        self._app = app
        self._body_s = body_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        large = (413, f"more than {BODY_BYTES} bytes were sent", "send less")
        length = header(scope, "content-length")
        if length and not (length.isascii() and length.isdecimal() and int(length) <= BODY_BYTES):
            await refuse(scope, receive, send, *large)
            return
        try:
            body = await asyncio.wait_for(_whole(receive), self._body_s)
        except TimeoutError:
            await refuse(
                scope, receive, send, 408, f"the body took longer than {self._body_s:g} s",
                "send it again",
            )  # fmt: skip
            return
        if body is None:
            await refuse(scope, receive, send, *large)
            return
        told = False

        async def received() -> Message:
            nonlocal told
            if told:
                return await receive()
            told = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, received, send)


class CrowdGuard:
    """Answers so many requests at a time; a body that is slow to come does not count.

    Args:
        app: What answers.
        at_once: So many.
    """

    def __init__(self, app: ASGIApp, at_once: int = AT_ONCE) -> None:
        self._app = app
        self._at_once = at_once
        self._now = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if self._now >= self._at_once:
            await refuse(
                scope, receive, send, 503, f"{self._at_once} requests are being answered",
                "wait a second",
            )  # fmt: skip
            return
        self._now += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._now -= 1


async def _whole(receive: Receive) -> bytes | None:
    """Return the body of a request, or None where it is too large."""
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return body
        body += message.get("body", b"")
        if len(body) > BODY_BYTES:
            return None
        if not message.get("more_body"):
            return body
