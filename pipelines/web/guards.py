"""The guards in front of all pages, in the order in which a request meets them."""

from __future__ import annotations

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from pipelines.web.request_counts import CountGuard, RequestCounts
from pipelines.web.security.faults import FaultGuard, Faults
from pipelines.web.security.headers import HeaderGuard
from pipelines.web.security.hosts import HostGuard
from pipelines.web.security.limits import BodyGuard, CrowdGuard
from pipelines.web.security.paths import PathGuard
from pipelines.web.security.prefixes import PrefixGuard
from pipelines.web.security.sessions import ALIVE, SessionGuard, WayIn
from pipelines.web.settings import ServeSettings


def guarded(
    pages: ASGIApp, settings: ServeSettings, way: WayIn, faults: Faults, requests: RequestCounts
) -> ASGIApp:
    """Return the pages behind their guards.

    Args:
        pages: What answers those who may ask.
        settings: Of the server.
        way: How people show who they are.
        faults: Tells of what was refused, and of what nobody caught.
        requests: Counts what was answered.
    """
    inner = SessionGuard(CrowdGuard(pages), way, https=settings.https)
    below = PrefixGuard(PathGuard(BodyGuard(inner)), settings.prefix)
    outer = _Alive(HostGuard(below, settings.hosts), settings.prefix)
    return CountGuard(HeaderGuard(FaultGuard(outer, faults)), requests)


class _Alive:
    """Says that the process lives, to whoever asks: a cluster asks by no name that it is known by.

    Args:
        app: Answers all else.
        prefix: That pages are below; it is asked with and without it.
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._asked = (ALIVE, prefix + ALIVE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        app = PlainTextResponse("ok\n") if scope["path"] in self._asked else self._app
        await app(scope, receive, send)
