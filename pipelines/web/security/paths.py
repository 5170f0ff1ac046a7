"""Paths that no page has, and that servers in between may read in another way."""

from __future__ import annotations

import re

from starlette.types import ASGIApp, Receive, Scope, Send

from pipelines.web.security.plain import refuse

_LONGEST = 2000
_ODD = re.compile(r"//|\\|[\x00-\x1f\x7f]|/\.{1,2}(?:/|$)")


class PathGuard:
    """Passes on what can be the path of a page.

    Args:
        app: What answers those.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        path = scope["path"]
        if len(path) > _LONGEST:
            await refuse(scope, receive, send, 414, "no page has so long an address", "shorten it")
        elif not path.startswith("/") or _ODD.search(path):
            await refuse(scope, receive, send, 400, "no page has such an address", "correct it")
        else:
            await self._app(scope, receive, send)
