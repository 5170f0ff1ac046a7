"""The part of a host's addresses that is this server's, where it shares the host with others.

Pages and other guards know nothing of it: they see and write addresses that begin at ``/``. It is
taken off what is asked for here, and put before every address that is answered: in ``Location``,
in the path of cookies, and in what a page's elements lead to.
"""

from __future__ import annotations

import re

from starlette.datastructures import MutableHeaders
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipelines.web.security.plain import refuse

_PREFIX = "slimline.prefix"
_LEADS = re.compile(
    r"""(\s(?:href|src|action|formaction|data-hash|data-log)="|\scontent="0; url=)(?=/)"""
)
"""What stands before an address of this server in a page. No text of a page looks so: a quotation
mark in it is escaped."""


class PrefixGuard:
    """Passes on what is asked for below a prefix, and refuses all else.

    Args:
        app: What answers, as if addresses began at ``/``.
        prefix: Such as ``/slimline``; empty where all addresses of the host are this server's.
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        prefix, path = self._prefix, scope["path"]
        if not prefix:
            await self._app(scope, receive, send)
            return
        if path != prefix and not path.startswith(f"{prefix}/"):
            what = f"the pages of this server begin at {prefix}/"
            await refuse(scope, receive, send, 404, what, f"open {prefix}/")
            return

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                _put_before(MutableHeaders(scope=message), prefix)
            await send(message)

        inner = {**scope, "path": path.removeprefix(prefix) or "/", _PREFIX: prefix}
        try:
            await self._app(inner, receive, sent)
        finally:
            if "slimline.refused" in inner:
                scope["slimline.refused"] = inner["slimline.refused"]


class PageResponse(HTMLResponse):
    """A page that this server has made: its addresses are those below the prefix."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        if prefix := scope.get(_PREFIX, ""):
            self.body = _LEADS.sub(rf"\g<1>{prefix}", bytes(self.body).decode()).encode()
            self.headers["content-length"] = str(len(self.body))
        await super().__call__(scope, receive, send)


def _put_before(headers: MutableHeaders, prefix: str) -> None:
    """Put the prefix before where a browser is led, and bound its cookies to it."""
    where = headers.get("location", "")
    if where.startswith("/"):
        headers["location"] = prefix + where
    cookies = headers.getlist("set-cookie")
    del headers["set-cookie"]
    for one in cookies:
        headers.append("set-cookie", re.sub(r"(?i)(; path=)/(?=;|$)", rf"\g<1>{prefix}", one))
