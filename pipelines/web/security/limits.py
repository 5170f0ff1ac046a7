"""Bounds of requests: how large, how slow, how many at a time."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipelines.web.security.plain import header, refuse

BODY_BYTES, BODY_S, AT_ONCE = 64 * 1024, 10.0, 64


class LimitGuard:
    """Reads the body of a request before anything else sees it, within bounds.

    Args:
        app: What answers.
        body_s: In how many seconds a body has to be there.
    """

    def __init__(self, app: ASGIApp, body_s: float = BODY_S) -> None:
        self._app = app
        self._body_s = body_s
        self._now = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._now >= AT_ONCE:
            await refuse(
                scope, receive, send, 503, f"{AT_ONCE} requests are being answered", "wait a second"
            )
            return
        self._now += 1
        try:
            await self._within(scope, receive, send)
        finally:
            self._now -= 1

    async def _within(self, scope: Scope, receive: Receive, send: Send) -> None:
        length = header(scope, "content-length")
        if length and not (length.isdecimal() and int(length) <= BODY_BYTES):
            await refuse(
                scope, receive, send, 413, f"more than {BODY_BYTES} bytes were sent", "send less"
            )
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
            await refuse(
                scope, receive, send, 413, f"more than {BODY_BYTES} bytes were sent", "send less"
            )
            return
        told = False

        async def received() -> Message:
            nonlocal told
            if told:
                return await receive()
            told = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, received, send)


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
