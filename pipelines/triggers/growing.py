"""Data that grows on after its run has begun: what was taken for whole was not.

Quiet is a guess. Where nothing but additions follow within three quiet periods, the run goes on to
train on part of an upload, and ends as superseded unless much of its time is spent already.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pipelines.runs.kept.kept_sources import read_source
from pipelines.sources.sighting import Look
from pipelines.sources.together import folder_of
from pipelines.stores.store import Store
from pipelines.triggers.deciding import Going, Move
from pipelines.triggers.launch_states import Launch
from pipelines.triggers.settings import Trigger
from pipelines.triggers.standing import usual_time_s

PERIODS = 3
"""For so many quiet periods after a claim what is added counts to the same upload."""

_SPENT = 0.5


def superseding(
    store: Store,
    trigger: Trigger,
    known: Mapping[str, Launch],
    waits: Going | None,
    sighted: Look,
    now: datetime,
) -> Move | None:
    """Return that the run which goes on is to end, as its data was not whole; else None.

    Args:
        store: Where the trigger is.
        trigger: A watch.
        known: All its launches.
        waits: What of it goes on.
        sighted: The data now.
        now: Now.
    """
    quiet_s = trigger.watch.quiet_s if trigger.watch else None
    launch = known.get(waits.key) if waits else None
    latest = launch.latest if launch else None
    if quiet_s is None or launch is None or latest is None:
        return None
    if not latest.listing:
        return None
    since_s = (now - datetime.fromisoformat(latest.reserved)).total_seconds()
    if since_s > PERIODS * quiet_s or _is_spent(launch, known, now):
        return None
    claimed = read_source(store, latest.snapshot)
    if claimed is None:
        return None
    if trigger.watch and trigger.watch.settle == "folder":  # others may grow as they like
        sighted = sighted.within(frozenset(folder_of(one.name) for one in claimed.files))
    if not sighted.added_to(latest.listing, frozenset(one.name for one in claimed.files)):
        return None
    why = (
        f"the data grew from {len(claimed.files)} to {sighted.files} files while the run "
        f"{latest.run} went on: it had not been whole"
    )
    return Move("cancel", why, launch.key)


def _is_spent(launch: Launch, known: Mapping[str, Launch], now: datetime) -> bool:
    """Whether half of the time that its run is to take is over."""
    usual_s = usual_time_s(list(known.values()))
    if usual_s is None or launch.record is None:
        return False
    return (now - datetime.fromisoformat(launch.record.started)).total_seconds() > _SPENT * usual_s
