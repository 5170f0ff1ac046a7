"""Who asks: the guard in front of the pages, and what ways in have in common."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipelines.web.security.cookies import drop_cookie
from pipelines.web.security.forms import RefusedFormError, check_origin, pairs_of, read_form
from pipelines.web.security.plain import address_of, header, is_page
from pipelines.web.security.prefixes import PageResponse
from pipelines.web.security.viewer import Viewer
from pipelines.web.templating import render

ENTER, LEAVE, ALIVE = "/enter", "/leave", "/alive"
_STATIC = re.compile(r"/static/[0-9a-f]{12}/[a-z]+\.[a-z]+")


@dataclass(frozen=True)
class Session:
    """Somebody who may ask.

    Attributes:
        viewer: Who.
        csrf: What forms of theirs send along, and what they sent along before, if that changes;
            None where a header says who they are, which no page of another site can send.
    """

    viewer: Viewer
    csrf: tuple[str, ...] | None


class RefusedError(Exception):
    """Somebody may not ask.

    Args:
        status: Of HTTP.
        what: A sentence.
        fix: What they can do.
        told: What the owner of the server is told instead.
    """

    def __init__(self, status: int, what: str, fix: str, told: str = "") -> None:
        super().__init__(what)
        self.status, self.what, self.fix, self.told = status, what, fix, told or what


class WayIn(Protocol):
    """How people show who they are."""

    @property
    def asks_token(self) -> bool:
        """Whether a page asks for a token."""
        ...

    @property
    def cookie(self) -> str | None:
        """The cookie that says who they are; None where there is none."""
        ...

    def session(self, scope: Scope) -> Session:
        """Return who asks.

        Raises:
            RefusedError: Nobody who may.
        """
        ...

    def enter(self, scope: Scope, fields: Mapping[str, str]) -> Response:
        """Let somebody in who shows who they are.

        Args:
            scope: Of the request.
            fields: Of the form, where it is one.

        Raises:
            RefusedError: They do not.
        """
        ...

    def leave(self, scope: Scope) -> None:
        """Forget who asks."""
        ...


class SessionGuard:
    """Answers those who may ask, and tells pages who that is.

    Args:
        app: What answers.
        way: How people show who they are.
        https: Whether browsers reach this server by that alone.
    """

    def __init__(self, app: ASGIApp, way: WayIn, *, https: bool) -> None:
        self._app = app
        self._way = way
        self._https = https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        path = scope["path"]
        if _STATIC.fullmatch(path):
            await self._app(scope, receive, send)
            return
        try:
            if path == ENTER:
                response = await self._enter(scope, receive)
            elif path == LEAVE and scope["method"] == "POST":
                response = await self._leave(scope, receive)
            else:
                session = self._way.session(scope)
                scope["slimline.viewer"] = session.viewer
                scope["slimline.csrf"] = session.csrf[0] if session.csrf else ""
                scope["slimline.csrf_known"] = session.csrf
                scope["slimline.leaves"] = bool(self._way.cookie)
                await self._app(scope, receive, send)
                return
        except RefusedFormError as error:
            response = self._refused(scope, RefusedError(403, error.what, error.fix))
        except RefusedError as error:
            response = self._refused(scope, error)
        await response(scope, receive, send)

    async def _enter(self, scope: Scope, receive: Receive) -> Response:
        fields: Mapping[str, str] = {}
        if scope["method"] == "POST" and self._way.asks_token:
            check_origin(scope, https=self._https)  # else others could sign people in as themselves
            fields = read_form(pairs_of(scope, await _body(receive)), None, ("token", "to"))
        return self._way.enter(scope, fields)

    async def _leave(self, scope: Scope, receive: Receive) -> Response:
        session = self._way.session(scope)
        check_origin(scope, https=self._https)
        read_form(pairs_of(scope, await _body(receive)), session.csrf, ())
        self._way.leave(scope)
        response = PageResponse(
            render(
                "refused.html", title="Signed out", what="you are signed out", again="",
                fix="what runs goes on", asks_token=self._way.asks_token, to="/",
            )
        )  # fmt: skip
        if self._way.cookie:
            drop_cookie(response, self._way.cookie, https=self._https)
        return response

    def _refused(self, scope: Scope, error: RefusedError) -> Response:
        scope["slimline.refused"] = error.told
        if not is_page(scope):
            response: Response = PlainTextResponse(
                f"{error.what}\nfix: {error.fix}\n", error.status
            )
        else:
            # A link on another site: the cookie comes along only when our own page asks again.
            where = address_of(scope)
            strange = header(scope, "sec-fetch-site") in ("cross-site", "same-site")
            again = strange and self._way.cookie and scope["method"] == "GET"
            page = render(
                "refused.html", title="Who are you?" if error.status == 401 else "Refused",
                what=error.what, fix=error.fix, again=where if again else "",
                asks_token=self._way.asks_token, to="/" if scope["path"] == ENTER else where,
            )  # fmt: skip
            response = PageResponse(page, error.status)
        if error.status == 401 and self._way.asks_token:
            response.headers["www-authenticate"] = "Bearer"
        return response


def entered(to: str) -> RedirectResponse:
    """Return what leads somebody to the page that they wanted, which is one of this server."""
    ours = to.startswith("/") and not to.startswith(("//", "/\\")) and to.isprintable()
    return RedirectResponse(to if ours else "/", 303)


async def _body(receive: Receive) -> bytes:
    message: Message = await receive()  # whole: the guard before this one has read it
    return message.get("body", b"")
