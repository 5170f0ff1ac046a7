"""What should have run and has not, and what runs for too long: what a tick tells once each."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from pipelines.triggers import cron, standing
from pipelines.triggers.amounts import told
from pipelines.triggers.deciding import Going
from pipelines.triggers.launch_states import Launch
from pipelines.triggers.settings import Trigger
from pipelines.triggers.ticks import Tick

_OVERDUE = timedelta(minutes=5)


def overdue(
    trigger: Trigger,
    known: Mapping[str, Launch],
    waits: Going | None,
    last_tick: str,
    now: datetime,
) -> Tick | None:
    """Return that nothing ran when it should have; None if that is not so.

    Args:
        trigger: Which; it is not paused.
        known: All its launches.
        waits: What of it still goes on; then nothing should.
        last_tick: When it was last evaluated, ISO 8601; empty: never.
        now: Now.
    """
    for key, launch in known.items():
        if launch.state(trigger.retries) == "reserved" and launch.latest and not waits:
            late = now - datetime.fromisoformat(launch.latest.reserved)
            if late > _OVERDUE:
                why = f"reserved {told(late.total_seconds())} ago, and has not begun"
                return Tick.of(now, "overdue", why, key, run=launch.latest.run)
    if trigger.watch:
        if why := standing.overdue(trigger, last_tick, now):
            return Tick.of(now, "overdue", why, last_tick or trigger.since)
        return None
    assert trigger.schedule
    since = datetime.fromisoformat(trigger.since)
    for moment in cron.due(trigger.schedule.cron, trigger.schedule.zone, since, now, 1):
        late, key = now - moment, cron.key_of(moment)
        if late > _OVERDUE and key not in known and not waits:
            at = moment.isoformat(sep=" ", timespec="minutes")
            why = f"nothing has run for {at}, {told(late.total_seconds())} ago"
            return Tick.of(now, "overdue", why, key)
    return None


def running_long(known: Mapping[str, Launch], now: datetime) -> Tick | None:
    """Return that a run takes three times as long as the last ones did; None if none does."""
    found = standing.long_run(list(known.values()), now)
    if found is None or found[0].latest is None:
        return None
    launch, why = found
    return Tick.of(now, "running long", why, launch.key, run=found[0].latest.run)
