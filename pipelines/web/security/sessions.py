"""Who asks: a code that is used once, a token, or the name that a proxy passes on."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from dataclasses import dataclass
from urllib.parse import parse_qs

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from pipelines.runs.actor import actor
from pipelines.web.security.cookies import cookie, set_cookie
from pipelines.web.security.plain import refuse
from pipelines.web.security.viewer import Viewer

COOKIE = "slimline"
ENTER = "/enter"
"""Where the code is given: ``/enter?code=...``."""


@dataclass(frozen=True)
class Session:
    """Somebody who has signed in.

    Attributes:
        viewer: Who.
        csrf: What forms of theirs send along.
    """

    viewer: Viewer
    csrf: str


class CodeSessions:
    """One person on one machine: the start prints a code, which a browser exchanges for a cookie.

    Args:
        app: What answers who has signed in.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._code: str | None = None
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()

    def new_code(self) -> str:
        """Return another code; earlier ones that nobody used are worth nothing any more."""
        self._code = secrets.token_urlsafe(24)
        return self._code

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer who has signed in; exchange a code; refuse all others."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"] == ENTER and scope["method"] == "GET":
            await self._enter(scope, receive, send)
            return
        session = self._sessions.get(_hidden(cookie(scope, COOKIE)))
        if session is None:
            await refuse(
                scope, receive, send, 401, "you have not signed in here",
                "open the address with the code that slimline serve prints; each is used once, "
                "and starting slimline serve again prints another",
            )  # fmt: skip
            return
        scope["slimline.viewer"], scope["slimline.csrf"] = session.viewer, session.csrf
        await self._app(scope, receive, send)

    async def _enter(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = parse_qs(scope["query_string"].decode("latin-1")).get("code", [""])[0]
        with self._lock:
            if self._code is None or not hmac.compare_digest(given.encode(), self._code.encode()):
                known = False
            else:
                known, self._code = True, None
                token = secrets.token_urlsafe(32)
                session = Session(Viewer(actor(), "promote"), secrets.token_urlsafe(32))
                self._sessions[_hidden(token)] = session
        if not known:
            await refuse(
                scope, receive, send, 403, "this code is not known, or was used before",
                "start slimline serve again: it prints another",
            )  # fmt: skip
            return
        response = RedirectResponse("/", 303)
        set_cookie(response, COOKIE, token)
        await response(scope, receive, send)


def _hidden(token: str) -> str:
    """Return what a token is looked up by, so that the time it takes tells nothing of it."""
    return hashlib.sha256(token.encode()).hexdigest()
