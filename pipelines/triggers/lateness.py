"""What should have run and has not, and what runs for longer than it should."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from statistics import median

from pipelines.triggers import cron
from pipelines.triggers.amounts import told
from pipelines.triggers.deciding import Going
from pipelines.triggers.launch_states import Launch
from pipelines.triggers.settings import Trigger
from pipelines.triggers.ticks import Tick

_OVERDUE = timedelta(minutes=5)
_LOOKS_MISSED = 3
_TIMES_LONGER, _ENOUGH, _LAST = 3, 3, 10
_LONG_AT_LEAST_S = 300
"""A run whose steps were all done before takes seconds, and says little of one that trains."""


def not_evaluated(trigger: Trigger, last_tick: str, now: datetime) -> str:
    """Say that nobody has evaluated a trigger when it should have been; "" if that is not so.

    Args:
        trigger: Which.
        last_tick: When it was last evaluated, ISO 8601; empty: never.
        now: Now.
    """
    if trigger.paused:
        return ""
    seen = max(datetime.fromisoformat(moment) for moment in (last_tick, trigger.since) if moment)
    if trigger.watch:
        late = now - seen > max(_OVERDUE, timedelta(seconds=_LOOKS_MISSED * trigger.watch.every_s))
    else:
        assert trigger.schedule
        times = cron.due(trigger.schedule.cron, trigger.schedule.zone, seen, now, 2)
        late = any(now - moment > _OVERDUE for moment in times)
    since = seen.isoformat(sep=" ", timespec="minutes")
    return f"nobody has evaluated it since {since}" if late else ""


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
        if why := not_evaluated(trigger, last_tick, now):
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


def running_long(trigger: Trigger, known: Mapping[str, Launch], now: datetime) -> Tick | None:
    """Return that a run takes three times as long as the last ones did; None if none does."""
    usual_s = usual_time_s(known)
    if usual_s is None:
        return None
    limit_s = max(_LONG_AT_LEAST_S, _TIMES_LONGER * usual_s)
    for key, launch in known.items():
        if launch.state(trigger.retries) != "running" or launch.record is None:
            continue
        for_s = (now - datetime.fromisoformat(launch.record.started)).total_seconds()
        if for_s > limit_s:
            run = launch.record.run
            why = f"the run {run} has gone on for {told(for_s)}; the last ones took {told(usual_s)}"
            return Tick.of(now, "running long", why, key, run=run)
    return None


def usual_time_s(known: Mapping[str, Launch]) -> float | None:
    """Return the median time of the last launches that ended well; None after too few of them."""
    took = [
        (
            datetime.fromisoformat(record.finished) - datetime.fromisoformat(record.started)
        ).total_seconds()
        for launch in known.values()
        if (record := launch.record) and record.outcome == "done" and record.finished
    ][-_LAST:]
    return median(took) if len(took) >= _ENOUGH else None
