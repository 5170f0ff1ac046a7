"""How it stands with a trigger for people: what comes next, and what should have come."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import median

from pipelines.triggers import cron
from pipelines.triggers.amounts import told
from pipelines.triggers.launch_states import Launch
from pipelines.triggers.settings import Trigger
from pipelines.triggers.ticks import Tick

_LATE = timedelta(minutes=5)
_LONG_TIMES, _LONG_KNOWN, _LONG_LAST = 3.0, 3, 10
_LONG_LEAST_S = 300.0
"""A run whose steps were all done before takes seconds, and says little of one that trains."""


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


def usual_time_s(known: Sequence[Launch]) -> float | None:
    """Return the median time of the last launches that ended well; None after too few of them."""
    took = [
        _moment(record.finished) - _moment(record.started)
        for one in known
        if (record := one.record) and record.outcome == "done" and record.finished
    ][-_LONG_LAST:]
    return median(took) if len(took) >= _LONG_KNOWN else None


def long_run(known: Sequence[Launch], now: datetime) -> tuple[Launch, str] | None:
    """Return the launch that takes far longer than those before it, and say so; None if none does.

    Args:
        known: All launches of a trigger, in order.
        now: Now.
    """
    usual_s = usual_time_s(known)
    if usual_s is None:
        return None
    limit_s = max(_LONG_LEAST_S, _LONG_TIMES * usual_s)
    for one in known:
        record = one.record
        if record is None or record.outcome != "running":
            continue
        so_far_s = (now - datetime.fromisoformat(record.started)).total_seconds()
        if so_far_s > limit_s:
            return one, (
                f"the run {record.run} has gone on for {told(so_far_s)}; the last ones took "
                f"{told(usual_s)}"
            )
    return None


def running_long(known: Sequence[Launch], now: datetime) -> str:
    """Say that a run of a trigger takes far longer than those before it; empty if none does."""
    found = long_run(known, now)
    return found[1] if found else ""


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def held_now(ticks: Sequence[Tick], known: Sequence[Launch]) -> Tick | None:
    """Return the evaluation that waits for a person to confirm the data; None where none does."""
    if not ticks or ticks[-1].what != "hold":
        return None
    return None if any(one.key == ticks[-1].key for one in known) else ticks[-1]
