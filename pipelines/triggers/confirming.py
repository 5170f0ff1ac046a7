"""Held data that a person takes all the same."""

from __future__ import annotations

from datetime import UTC, datetime

from components.contract.errors import UserError
from pipelines.stores.store import Store
from pipelines.triggers.launches import LaunchAttempt, launches, reserve
from pipelines.triggers.settings import Trigger
from pipelines.triggers.standing import held_now
from pipelines.triggers.ticks import read_ticks


def by_hand_key(now: datetime) -> str:
    """Return the key of a launch that no time and no snapshot has asked for."""
    utc = now.astimezone(UTC)
    return f"{utc:%Y%m%dT%H%M%S}.{utc.microsecond // 1000:03}-by-hand"


def confirm(
    store: Store, trigger: Trigger, held: str, *, actor: str, reason: str, at: datetime
) -> LaunchAttempt:
    """Reserve a launch of data that is held; the next tick carries it out.

    Data that was held as it has shrunk is trained on as it was seen then. What was never quiet is
    taken as it is when the run begins.

    Args:
        store: Where the trigger is.
        trigger: A watch.
        held: Digest of the data that the person saw held; empty where none was read.
        actor: Who confirms it.
        reason: Why.
        at: Now.

    Raises:
        UserError: Nothing is held, something else is, or the trigger is paused.
    """
    if trigger.paused:
        raise UserError(
            f"the trigger {trigger.name} is paused: {trigger.paused}",
            f"resume it first: slimline triggers resume {trigger.name}",
        )
    waits = held_now(read_ticks(store, trigger.name), list(launches(store, trigger).values()))
    if waits is None or waits.key != held:
        raise UserError(
            f"the trigger {trigger.name} holds {'other data' if waits else 'nothing'} by now",
            f"see slimline triggers history {trigger.name}",
        )
    return reserve(
        store, trigger, held or by_hand_key(at), 1, at=at, snapshot=held,
        why=f"confirmed by {actor}: {reason}", actor=actor,
    )  # fmt: skip
