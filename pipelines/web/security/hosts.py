"""The ``Host`` allow-list: a name that leads here from elsewhere (DNS rebinding) gets no answer."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

from pipelines.web.security.plain import header, refuse
from pipelines.web.settings import LOOPBACK


class HostGuard:
    """Answers requests that were meant for this server alone.

    Args:
        app: What answers those.
        hosts: Names beside those of this machine itself.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str] = ()) -> None:
        self._app = app
        self._hosts = {host.lower() for host in (*LOOPBACK, *hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "http" and name_of(header(scope, "host")) not in self._hosts:
            await refuse(
                scope, receive, send, 421, "this server is not known by the name you used",
                "ask it by its own name, or have its owner write that name under hosts: in "
                "serve.yaml",
            )  # fmt: skip
            return
        await self._app(scope, receive, send)


def name_of(host: str) -> str:
    """Return the name in a ``Host`` header, without the port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()
