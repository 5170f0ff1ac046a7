"""One person on one machine: the start prints a link with a code, which one browser uses once."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs

from starlette.responses import Response
from starlette.types import Scope

from pipelines.web.security.cookies import cookie, set_cookie
from pipelines.web.security.plain import header
from pipelines.web.security.sessions import RefusedError, Session, entered
from pipelines.web.security.viewer import Viewer

SESSIONS, AGE_S = 20, 14 * 86400
"""So many browsers are known at a time, the latest ones, each for so long."""

_ANOTHER = (
    "press Enter where slimline serve runs: it prints another link; without a terminal, send its "
    "process the signal USR1"
)


@dataclass(frozen=True)
class _Browser:
    session: Session
    since: float


class CodeWay:
    """A way in by a code.

    Args:
        name: Who has the code.
        cookie: What the cookie is called.
        https: Whether browsers send it by that alone.
        clock: Seconds that only grow.
    """

    asks_token = False

    def __init__(
        self, name: str, cookie: str, *, https: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.cookie = cookie
        self._name = name
        self._https = https
        self._clock = clock
        self._code: str | None = None
        self._browsers: dict[str, _Browser] = {}
        self._lock = threading.Lock()

    def new_code(self) -> str:
        """Return another code; an earlier one that nobody used is worth nothing any more."""
        self._code = secrets.token_urlsafe(24)
        return self._code

    def session(self, scope: Scope) -> Session:
        """See ``WayIn``."""
        found = self._browsers.get(_hidden(cookie(scope, self.cookie)))
        if found is None or self._clock() - found.since > AGE_S:
            raise RefusedError(
                401, "you have not signed in here",
                "open the link that slimline serve printed; each is used once. For another one, "
                f"{_ANOTHER}",
            )  # fmt: skip
        return found.session

    def enter(self, scope: Scope, fields: Mapping[str, str]) -> Response:  # noqa: ARG002 no form
        """See ``WayIn``; whoever has signed in already may use the link again."""
        given = parse_qs(scope["query_string"].decode("latin-1")).get("code", [""])[0]
        if scope["method"] != "GET" or "prefetch" in header(scope, "sec-purpose"):
            raise RefusedError(403, "a link is opened by a person", "open it in a browser")
        with self._lock:
            code, token = self._code, secrets.token_urlsafe(32)
            if code is None or not hmac.compare_digest(given.encode(), code.encode()):
                self._refuse_unknown(scope)
                return entered("/")
            self._code = None
            session = Session(Viewer(self._name, "promote"), (secrets.token_urlsafe(32),))
            self._browsers[_hidden(token)] = _Browser(session, self._clock())
            while len(self._browsers) > SESSIONS:
                del self._browsers[next(iter(self._browsers))]
        response = entered("/")
        set_cookie(response, self.cookie, token, https=self._https, age_s=AGE_S)
        return response

    def _refuse_unknown(self, scope: Scope) -> None:
        try:
            self.session(scope)
        except RefusedError:
            raise RefusedError(
                403, "this link is not known, or was used before", _ANOTHER
            ) from None

    def leave(self, scope: Scope) -> None:
        """See ``WayIn``."""
        self._browsers.pop(_hidden(cookie(scope, self.cookie)), None)


def _hidden(token: str) -> str:
    """Return what a token is looked up by, so that the time it takes tells nothing of it."""
    return hashlib.sha256(token.encode()).hexdigest()
