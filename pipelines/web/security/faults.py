"""What the owner of the server is told: requests that were refused, and faults of our own."""

from __future__ import annotations

import secrets
import threading
import time
import traceback
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipelines.web.security.plain import refuse

LINES, PERIOD_S = 20, 60.0
"""So many lines about refused requests are written in such a time; of the others their number."""

_LOGGED = frozenset({400, 401, 403, 408, 413, 414, 421, 431, 503})
_SHOWN = 200


class Faults:
    """Tells of them, and counts them; may be used by many threads.

    Args:
        say: Writes to whoever runs the server.
        clock: Seconds that only grow.
    """

    def __init__(
        self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._say = say
        self._clock = clock
        self._lock = threading.Lock()
        self._began, self._told, self._left = clock(), 0, 0
        self.refused = 0
        self.bugs = 0

    def bug(self, trace: str) -> str:
        """Tell of a fault of our own, and return what it is called."""
        identifier = secrets.token_hex(4)
        with self._lock:
            self.bugs += 1
        self._say(f"bug {identifier}: a fault of slimline's own, please report it\n{trace}")
        return identifier

    def refusal(self, told: str) -> None:
        """Tell of a request that was refused."""
        now = self._clock()
        with self._lock:
            self.refused += 1
            left = 0
            if now - self._began > PERIOD_S:
                self._began, self._told, left, self._left = now, 0, self._left, 0
            self._told += 1
            quiet = self._told > LINES
            self._left += quiet
        if left:
            self._say(f"refused: {left} requests more, of which no lines were written")
        if not quiet:
            self._say(f"refused: {told}")


class FaultGuard:
    """Tells of what was refused; what nobody caught is a fault of our own.

    Args:
        app: What answers.
        faults: Tells of it.
    """

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, whatever happens."""
        status = 0

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if status in _LOGGED:
                    self._faults.refusal(_line(scope, status))
            await send(message)

        try:
            await self._app(scope, receive, sent)
        except Exception as error:  # noqa: BLE001 told with its traceback, never to the browser
            identifier = self._faults.bug("".join(traceback.format_exception(error)))
            if not status:
                await refuse(scope, receive, send, 500, *words_of(identifier))


def words_of(identifier: str) -> tuple[str, str]:
    """Return what somebody is told who met a fault of our own, and what to do."""
    return (
        f"this is a bug of slimline, number {identifier}",
        f"report it with what the service printed under bug {identifier}",
    )


def _line(scope: Scope, status: int) -> str:
    """Return a line on a request that was refused; nothing of it can end the line."""
    client = scope.get("client") or ("nobody knows where", 0)
    path = ascii(scope["path"][:_SHOWN])[1:-1]
    why = ascii(str(scope.get("slimline.refused", ""))[:_SHOWN])[1:-1]
    return f"{status} {scope['method'][:16]} {path} from {client[0]}{': ' if why else ''}{why}"
