"""Pages that are loaded while the server already takes connections: most of a start is imports."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol

from starlette.types import ASGIApp, Receive, Scope, Send


class Background(Protocol):
    """What works behind the pages, such as ``Service``."""

    def start(self) -> None:
        """Begin."""
        ...

    def stop(self) -> None:
        """End."""
        ...


Make = Callable[[], tuple[Background, ASGIApp]]


class LatePages:
    """Answers with pages; requests wait until they are loaded.

    Args:
        make: Returns what works behind the pages, and the pages; what takes long in it is imports.
        on_fault: Called where that fails; ``stop`` raises what it was.
    """

    def __init__(self, make: Make, on_fault: Callable[[], None]) -> None:
        self._make = make
        self._on_fault = on_fault
        self._made: Future[tuple[Background, ASGIApp]] = Future()
        self._made.set_running_or_notify_cancel()  # a request that is given up ends no other
        self._thread = threading.Thread(target=self._load, name="load pages", daemon=True)

    def start(self) -> None:
        """Begin to load, and start what works behind the pages once that is done."""
        self._thread.start()

    def stop(self) -> None:
        """End it.

        Raises:
            Exception: It could not be loaded, or started.
        """
        self._thread.join()
        behind, _ = self._made.result()
        behind.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        _, pages = await asyncio.wrap_future(self._made)
        await pages(scope, receive, send)

    def _load(self) -> None:
        try:
            behind, pages = self._make()
            behind.start()
        except BaseException as error:  # noqa: BLE001 raised again where the server ends
            self._made.set_exception(error)
            self._on_fault()
        else:
            self._made.set_result((behind, pages))
