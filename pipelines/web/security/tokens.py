"""People who each have a token: exchanged for a cookie, or sent as a header by programs.

The cookie says who and since when, sealed with what only the token gives. So nothing is kept here,
any number of services take it, a restart signs nobody out, and whose line is gone is signed out.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping

from starlette.responses import Response
from starlette.types import Scope

from components.contract.errors import UserError
from pipelines.web.security.cookies import cookie, packed_text, set_cookie, unpacked_text
from pipelines.web.security.plain import header
from pipelines.web.security.secret_files import TokenFile, TokenHolder
from pipelines.web.security.sessions import RefusedError, Session, entered
from pipelines.web.security.viewer import Viewer

AGE_S = 7 * 86400
_AHEAD_S = 300
_BEARER = "bearer "


def bearer(scope: Scope, tokens: TokenFile) -> Session | None:
    """Return whose token a header holds; None where there is no such header.

    Raises:
        RefusedError: It is nobody's.
    """
    given = header(scope, "authorization")
    if not given.lower().startswith(_BEARER):
        return None
    holder = _asked(lambda: tokens.with_token(given[len(_BEARER) :].strip()))
    if holder is None:
        raise RefusedError(401, "this token is not known here", "ask the owner of this server")
    return Session(Viewer(holder.name, holder.role), None)


class TokenWay:
    """A way in by a token.

    Args:
        tokens: Who has which.
        cookie: What the cookie is called.
        https: Whether browsers send it by that alone.
        clock: Seconds since 1970, of any machine that serves.
    """

    asks_token = True

    def __init__(
        self,
        tokens: TokenFile,
        cookie: str,
        *,
        https: bool,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.cookie = cookie
        self._tokens = tokens
        self._https = https
        self._clock = clock

    def session(self, scope: Scope) -> Session:
        """See ``WayIn``."""
        if found := bearer(scope, self._tokens):
            return found
        given = cookie(scope, self.cookie)
        holder = self._holder(given)
        if holder is None:
            raise RefusedError(
                401, "you have not signed in here, or too long ago",
                "give your token; whoever runs this server has it in its file of tokens",
            )  # fmt: skip
        return Session(Viewer(holder.name, holder.role), (_seal(holder.token, f"form {given}"),))

    def _holder(self, given: str) -> TokenHolder | None:
        packed, _, rest = given.partition(".")
        since, _, seal = rest.partition(".")
        try:
            name, began = unpacked_text(packed), int(since)
        except ValueError:
            return None
        holder = _asked(lambda: self._tokens.named(name))
        if holder is None:
            return None
        known = _seal(holder.token, f"session {packed} {began}")
        if not hmac.compare_digest(seal.encode(), known.encode()):
            return None
        return holder if -_AHEAD_S < self._clock() - began < AGE_S else None

    def enter(self, scope: Scope, fields: Mapping[str, str]) -> Response:
        """See ``WayIn``."""
        if scope["method"] != "POST":
            raise RefusedError(401, "you have not signed in here", "give your token")
        holder = _asked(lambda: self._tokens.with_token(fields["token"].strip()))
        if holder is None:
            raise RefusedError(403, "this token is not known here", "ask the owner of this server")
        packed, began = packed_text(holder.name), int(self._clock())
        value = f"{packed}.{began}.{_seal(holder.token, f'session {packed} {began}')}"
        response = entered(fields["to"])
        set_cookie(response, self.cookie, value, https=self._https, age_s=AGE_S)
        return response

    def leave(self, scope: Scope) -> None:
        """See ``WayIn``: the browser forgets its cookie, and nothing else is kept."""


def _asked(ask: Callable[[], TokenHolder | None]) -> TokenHolder | None:
    try:
        return ask()
    except UserError as error:
        raise RefusedError(
            503, "tokens cannot be checked now", "ask whoever runs this server: it prints why",
            str(error),
        ) from error  # fmt: skip


def _seal(token: str, text: str) -> str:
    return hmac.new(token.encode(), text.encode(), hashlib.sha256).hexdigest()
