"""Why a run was started: what its trigger said, or who asked for it and with which words."""

from __future__ import annotations

from datetime import datetime

from pipelines.runs.actions import actions_on
from pipelines.runs.records import RunRecord
from pipelines.stores.layout import ticks_key
from pipelines.stores.store import Store, is_key
from pipelines.triggers.ticks import read_ticks

TRIGGER = "trigger "
"""What names of actors begin with that are triggers."""


def trigger_of(record: RunRecord) -> str | None:
    """Return the name of the trigger that started a run; None where it was somebody else."""
    return record.actor.removeprefix(TRIGGER) if record.actor.startswith(TRIGGER) else None


def why_started(store: Store, record: RunRecord) -> str:
    """Return why a run was started; empty where nothing tells."""
    if name := trigger_of(record):
        ticks = read_ticks(store, name) if is_key(ticks_key(name)) else ()
        rows = [tick for tick in ticks if tick.run == record.run]
        return rows[-1].why if rows else ""
    at = datetime.fromisoformat(record.started)
    asked = [one for one in actions_on(store, at) if one.what == record.run and one.reason]
    return asked[0].reason if asked and asked[0].action in ("run", "run again") else ""
