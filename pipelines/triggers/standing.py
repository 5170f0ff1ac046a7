"""How it stands with a trigger for people: what comes next, and what should have come."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import median

from pipelines.triggers import cron
from pipelines.triggers.amounts import told
from pipelines.triggers.launches import Launch
from pipelines.triggers.settings import Trigger
from pipelines.triggers.ticks import Tick

_LATE = timedelta(minutes=5)
_LONG_TIMES, _LONG_LEAST_S, _LONG_KNOWN = 2.0, 600.0, 3


def next_times(trigger: Trigger, count: int, now: datetime) -> list[datetime]:
    """Return when a schedule comes next, in its zone; nothing of a watch, or while it is paused."""
    if trigger.schedule is None or trigger.paused:
        return []
    return cron.coming(trigger.schedule.cron, trigger.schedule.zone, now, count)


def overdue(trigger: Trigger, last_tick: str, now: datetime) -> str:
    """Say that nobody has evaluated a trigger when it should have been; empty if that is not so.

    Args:
        trigger: Which trigger.
        last_tick: When it was evaluated last, ISO 8601; empty if never.
        now: Now.
    """
    if trigger.paused:
        return ""
    seen = max(datetime.fromisoformat(text) for text in (last_tick or trigger.since, trigger.since))
    if trigger.watch:
        late = now - seen > max(_LATE, timedelta(seconds=3 * trigger.watch.every_s))
    else:
        assert trigger.schedule
        late = any(
            now - moment > _LATE
            for moment in cron.due(trigger.schedule.cron, trigger.schedule.zone, seen, now, 2)
        )
    return (
        f"nobody has evaluated it since {seen.isoformat(sep=' ', timespec='minutes')}"
        if late
        else ""
    )


def running_long(known: Sequence[Launch], now: datetime) -> str:
    """Say that a run of a trigger takes far longer than those before it; empty if none does.

    Args:
        known: Its launches, in order.
        now: Now.
    """
    records = [one.record for one in known if one.record]
    took = [record.wall_s for record in records if record.outcome == "done" and record.wall_s > 0]
    if len(took) < _LONG_KNOWN:
        return ""
    usual_s = median(took[-20:])
    for record in records:
        so_far_s = (now - datetime.fromisoformat(record.started)).total_seconds()
        if record.outcome == "running" and so_far_s > max(_LONG_LEAST_S, _LONG_TIMES * usual_s):
            return (
                f"the run {record.run} has gone on for {told(so_far_s)}; the runs before it took "
                f"{told(usual_s)}"
            )
    return ""


def held_now(ticks: Sequence[Tick], known: Sequence[Launch]) -> Tick | None:
    """Return the evaluation that waits for a person to confirm the data; None where none does."""
    if not ticks or ticks[-1].what != "hold":
        return None
    return None if any(one.key == ticks[-1].key for one in known) else ticks[-1]
