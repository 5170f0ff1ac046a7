"""Cancelling: ``runs/<run>/cancel.json`` says that somebody wants a run to end, and why.

It is written once, by anybody who can write the store. Whoever carries out the run looks for it, on
whatever machine that is, and its record says in the end who asked.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass
from typing import ClassVar

from pydantic import ConfigDict, TypeAdapter

from components.contract.digests import canonical_json
from components.contract.errors import UserError
from pipelines.runs.moments import now
from pipelines.stores.layout import cancel_key
from pipelines.stores.store import KeyMissing, Store

LOOK_S = 2.0
"""How often a run that goes on looks whether somebody wants it to end."""


class RunEndedError(UserError):
    """A run that is to be cancelled has ended."""


@dataclass(frozen=True)
class Cancellation:
    """Somebody's wish that a run ends.

    Attributes:
        actor: Who asked.
        reason: Why, in their own words; empty if they gave none.
        at: When: ISO 8601, UTC.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="ignore")

    actor: str
    reason: str
    at: str


_CANCELLATION = TypeAdapter(Cancellation)


def ask_to_end(store: Store, run: str, actor: str, reason: str = "") -> Cancellation:
    """Ask whoever carries out a run, or will, to end it; who asked first is who asked.

    Whether there is such a run is not looked at.

    Args:
        store: Where its record is.
        run: Its identifier.
        actor: Who asks.
        reason: Why.

    Raises:
        UserError: The store fails.
    """
    wanted = Cancellation(actor, reason, now())
    if store.put_if_absent(cancel_key(run), canonical_json(asdict(wanted))):
        return wanted
    return read_cancellation(store, run) or wanted


def read_cancellation(store: Store, run: str) -> Cancellation | None:
    """Return who wants a run to end; None where nobody does, or where that is damaged.

    Raises:
        UserError: The store fails.
    """
    try:
        return parse_cancellation(store.get(cancel_key(run)))
    except (KeyMissing, ValueError):
        return None


def parse_cancellation(data: bytes) -> Cancellation:
    """Return the wish that these bytes are.

    Raises:
        ValueError: They are something else.
    """
    return _CANCELLATION.validate_json(data)


@contextlib.contextmanager
def ending_when_asked(
    store: Store, run: str, cancel: Callable[[], None], look_s: float = LOOK_S
) -> Generator[None]:
    """Have a run end, while the block goes on, when somebody asks for it.

    Args:
        store: Where they ask.
        run: Identifier of the run.
        cancel: Ends it; called in another thread, once.
        look_s: How often to look.
    """
    over = threading.Event()
    key = cancel_key(run)

    def look() -> None:
        while True:
            with contextlib.suppress(UserError, OSError):  # a store that fails is asked again
                if store.stat(key):
                    cancel()
                    return
            if over.wait(look_s):
                return

    looking = threading.Thread(target=look, name="cancelling", daemon=True)
    looking.start()
    try:
        yield
    finally:
        over.set()
        looking.join()
