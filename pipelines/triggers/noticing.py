"""Which notices an evaluation gives."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.stores.store import Store
from pipelines.triggers.kept import read_trigger
from pipelines.triggers.launches import launches
from pipelines.triggers.notifying import Event, Notice
from pipelines.triggers.running import Carried
from pipelines.triggers.ticking import Ticked
from pipelines.triggers.ticks import Tick

_PLAIN: dict[str, Event] = {"hold": "held", "pause": "paused", "error": "error"}
"""What each evaluation may come to again, so that only the first gives a notice."""


def notices(store: Store, ticked: Ticked) -> Iterator[Notice]:
    """Yield what people may want to know.

    Args:
        store: Where the trigger is.
        ticked: What its evaluation came to.
    """
    for row in ticked.rows:
        if (event := _PLAIN.get(row.what)) and row.count == 1:
            yield Notice(event, ticked.trigger, store.uri, row.last, row.why, row.run)
        carried = ticked.carried.get(row.run)
        if carried and (told := _of_launch(store, ticked.trigger, row, carried)):
            yield told


def notice_of_late(store: Store, name: str, row: Tick) -> Notice:
    """Return the notice of what should have run and has not, or of what takes long.

    Args:
        store: Where the trigger is.
        name: Of the trigger.
        row: What ``Ticker`` tells with ``on_late``.
    """
    event: Event = "overdue" if row.what == "overdue" else "running long"
    return Notice(event, name, store.uri, row.at, row.why, row.run)


def _of_launch(store: Store, name: str, row: Tick, carried: Carried) -> Notice | None:
    """Return what is told of a launch that ended here; None of one that is told elsewhere."""
    if carried.what == "done":
        event: Event = "promoted" if carried.promotion.startswith("promoted") else "candidate"
        return Notice(event, name, store.uri, row.last, carried.promotion or row.why, row.run)
    if carried.what in ("failed", "refused"):
        trigger = read_trigger(store, name)
        state = launches(store, trigger)[row.key].state(trigger.retries)
        event = "dead letter" if state == "dead letter" else "failed"
        return Notice(event, name, store.uri, row.last, row.why, row.run)
    return None
