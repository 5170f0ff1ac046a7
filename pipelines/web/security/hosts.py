"""The ``Host`` allow-list: a name that leads here from elsewhere (DNS rebinding) gets no answer."""

from __future__ import annotations

import re
from collections.abc import Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

from pipelines.web.security.plain import header, refuse
from pipelines.web.settings import HOST, LOOPBACK

_SENT = re.compile(HOST, re.IGNORECASE)


class HostGuard:
    """Answers requests that were meant for this server alone.

    A name may be asked for at any port, as a tunnel gives it another one; one that was written with
    its port only at that.

    Args:
        app: What answers those.
        hosts: Names beside those of this machine itself, some with a port.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str] = ()) -> None:
        self._app = app
        self._hosts = {host.lower() for host in (*LOOPBACK, "[::1]", *hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if not self._knows(header(scope, "host")):
            await refuse(
                scope, receive, send, 421, "this server is not known by the name you used",
                "ask it by its own name, or have its owner name it in serve.yaml, as one of the "
                "hosts",
            )  # fmt: skip
            return
        await self._app(scope, receive, send)

    def _knows(self, host: str) -> bool:
        sent = _SENT.fullmatch(host)
        if sent is None:
            return False
        return host.lower() in self._hosts or sent["name"].lower() in self._hosts
