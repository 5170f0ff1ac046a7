"""Bounds of connections: how slowly they may ask and read, and how many there may be."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, ClassVar, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from pipelines.web.security.faults import Faults

HEAD_S, STALLED_S, MOST = 10.0, 20.0, 200
"""Seconds for the head of a request, seconds in which an answer has to be read on, and
connections."""

_REST_S = 2.0
"""So long the rest of a request is passed over that has been answered: who sends it reads the
answer only then."""


class BoundedConnection(H11Protocol):
    """A connection that cannot be held for nothing.

    uvicorn ends those on which nothing comes after an answer. This one also ends those whose
    request does not begin or goes no further, and those that do not read their answer; and where
    there are too many, the one that has been idle longest makes room for a new one.
    """

    faults: ClassVar[Faults]
    head_s: ClassVar[float]
    stalled_s: ClassVar[float]
    most: ClassVar[int]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._head: asyncio.TimerHandle | None = None
        self._rest: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self.since = time.monotonic()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection, in place of an idle one where there are too many."""
        super().connection_made(cast("asyncio.Transport", transport))
        others = cast("set[BoundedConnection]", self.connections)
        if len(others) > self.most:
            idle = [one for one in others if one is not self and one.is_idle]
            gone = min(idle, key=lambda one: one.since, default=self)
            gone.end(f"there are more than {self.most} connections")
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Take some bytes of a request; the first of one begin its time."""
        super().data_received(data)
        self._await_head()

    def on_response_complete(self) -> None:
        """Go on to the next request, unless the rest of this one is still on its way."""
        self.since = time.monotonic()
        if self.conn.their_state is h11.SEND_BODY:
            self._rest = self.loop.call_later(
                _REST_S, self.end, "a request went on after its answer"
            )
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Begin the time in which the answer has to be read on."""
        super().pause_writing()
        self._stalled = self.loop.call_later(self.stalled_s, self.end, "an answer was not read on")

    def resume_writing(self) -> None:
        """End that time."""
        super().resume_writing()
        _cancel(self._stalled)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget all times."""
        for timer in (self._head, self._rest, self._stalled):
            _cancel(timer)
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request, and tell of it."""
        self.faults.refusal(f"400 what is no HTTP from {self._where()}")
        super().send_400_response(msg)

    def _await_head(self) -> None:
        """Begin the time for the head of a request, or end it where it is there."""
        if self.conn.their_state is not h11.IDLE:
            _cancel(self._head)
            self._head = None
            return
        _cancel(self._rest)
        if self._head is None and not self.transport.is_closing():
            self._head = self.loop.call_later(
                self.head_s, self.end, f"no request was there within {self.head_s:g} s"
            )

    @property
    def is_idle(self) -> bool:
        """Whether no request is being answered."""
        return not self.cycle or self.cycle.response_complete

    def end(self, why: str) -> None:
        """Give it up, whatever is on its way."""
        if not self.cycle or not self.is_idle:  # one that was answered has just stayed open
            self.faults.refusal(f"connection from {self._where()}: {why}")
        self.transport.abort()

    def _where(self) -> str:
        return self.client[0] if self.client else "nobody knows where"


def bounded(
    faults: Faults, *, head_s: float = HEAD_S, stalled_s: float = STALLED_S, most: int = MOST
) -> type[BoundedConnection]:
    """Return the class of a server's connections.

    Args:
        faults: Told of those that were ended.
        head_s: In how many seconds the head of a request has to be there.
        stalled_s: In how many an answer has to be read on.
        most: So many there may be.
    """
    bounds = {"faults": faults, "head_s": head_s, "stalled_s": stalled_s, "most": most}
    return type("Connection", (BoundedConnection,), bounds)


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer:
        timer.cancel()
