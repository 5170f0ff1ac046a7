"""What is to be done with a trigger now: decided from what the store holds and the data is.

Nothing is remembered between two decisions but what was launched and what was left out, so whoever
asks, and however often, decides the same. Each decision has a reason for people.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Literal

from pipelines.triggers import cron
from pipelines.triggers.amounts import Thresholds, rate, thresholds, told
from pipelines.triggers.changes import Changes, Taken, reached
from pipelines.triggers.folders import SettledFolders
from pipelines.triggers.launch_states import UNFINISHED, Launch, LaunchAttempt
from pipelines.triggers.observing import LOOKS, Observed, Sighted, is_ready
from pipelines.triggers.settings import Trigger, WatchSettings

What = Literal["launch", "leave out", "cancel", "wait", "hold", "pause", "nothing"]

GRACE_S = 300
"""A time counts as kept when somebody looks so soon after it."""

_LOOKED_BACK = 100
"""So many times before the last are looked at for some that nobody evaluated."""
_BEGUN_AFTER_S = 1800
"""After so long a run that was reserved has begun, also where its data takes long to list."""
_DEAD_MAX = 3
"""So many dead letters one after the other pause a trigger."""


@dataclass(frozen=True)
class Move:
    """What is to be done.

    Attributes:
        what: ``launch`` reserves and runs an attempt, ``leave out`` notes that a time or a
            snapshot is not run, ``cancel`` ends a run that still goes on, ``hold`` asks a person,
            ``pause`` turns the trigger off.
        why: For people.
        key: Of the launch.
        number: Of the attempt.
        snapshot: Digest of the data that it is to train on; empty: as it is then.
        listing: Of a watch, the listing of that data.
        whole: Of a watch, how it is known that nobody writes it any more.
    """

    what: What
    why: str
    key: str = ""
    number: int = 1
    snapshot: str = ""
    listing: str = ""
    whole: str = ""


@dataclass(frozen=True)
class Going:
    """A launch that goes on, or waits for its next attempt.

    Attributes:
        key: Of the launch.
        reserved: When its latest attempt was.
        why: In words, what it is that goes on.
    """

    key: str
    reserved: datetime
    why: str

    def made_up_after(self, moment: datetime) -> bool:
        """Whether it is an earlier time of a schedule, made up for when a later one was over."""
        earlier = self.key.endswith("Z") and self.key < cron.key_of(moment)
        return earlier and self.reserved > moment


def decide_unfinished(
    trigger: Trigger,
    known: Mapping[str, Launch],
    is_held: Callable[[str], bool],
    now: datetime,
    unnoted: Collection[str],
) -> tuple[list[Move], Going | None]:
    """Decide what becomes of launches that have not ended, or whose end nobody has noted.

    Args:
        trigger: Whose.
        known: All launches, in order.
        is_held: Whether somebody carries out the launch of a key at the moment.
        now: Now.
        unnoted: Keys of launches that were noted when they began, and not when they ended.

    Returns:
        What is to be done, and what still goes on or waits.
    """
    decisions = _left(trigger, known, is_held, unnoted)
    waits: Going | None = None
    for key, launch in known.items():
        state, latest = launch.state(trigger.retries), launch.latest
        if state not in UNFINISHED or latest is None:
            continue
        number = latest.number
        going = partial(Going, key, datetime.fromisoformat(latest.reserved))
        if state == "killed":
            why = f"the run {latest.run} was killed"
            decisions.append(_again(latest, why, number + 1))
        elif is_held(key) and not (state == "reserved" and _is_old(latest, now)):
            waits = going(f"the run {latest.run} goes on")
        elif state in ("reserved", "running"):
            why = "nobody carries it out any more" if state == "running" else latest.why
            decisions.append(_again(latest, why, number))
        else:
            due = launch.next_attempt_at
            if due and now < due:
                why = f"the run {latest.run} failed; the next attempt is at {_clock(due)}"
                waits = going(why)
            else:
                why = f"the run {latest.run} failed"
                decisions.append(_again(latest, why, number + 1))
    return decisions, waits


def _left(
    trigger: Trigger,
    known: Mapping[str, Launch],
    is_held: Callable[[str], bool],
    unnoted: Collection[str],
) -> list[Move]:
    """Decide to go on where who carried out the last launch that ended well was killed then."""
    # Of an older one the release is not to be promoted any more.
    done = [one for one in known.values() if one.state(trigger.retries) == "done"][-1:]
    return [
        _again(latest, f"the run {latest.run} ended, and nobody noted that", latest.number)
        for one in done
        if (latest := one.latest) and one.key in unnoted and not is_held(one.key)
    ]


def _again(latest: LaunchAttempt, why: str, number: int) -> Move:
    """Return the same attempt as before, or another one at the same data."""
    return Move("launch", why, latest.key, number, latest.snapshot, latest.listing, latest.whole)


def _is_old(attempt: LaunchAttempt, now: datetime) -> bool:
    """Whether a run should have begun long ago: its lease is somebody's who cannot be asked."""
    return (now - datetime.fromisoformat(attempt.reserved)).total_seconds() > _BEGUN_AFTER_S


def decide_pause(trigger: Trigger, known: Mapping[str, Launch]) -> Move | None:
    """Decide whether failures one after the other turn a trigger off."""
    since = datetime.fromisoformat(trigger.since)  # what failed before a resume has been looked at
    ended = [
        launch
        for launch in known.values()
        if launch.latest and datetime.fromisoformat(launch.latest.reserved) >= since
    ][-_DEAD_MAX:]
    if len(ended) < _DEAD_MAX:
        return None
    if any(launch.state(trigger.retries) != "dead letter" for launch in ended):
        return None
    names = ", ".join(launch.latest.run for launch in ended if launch.latest)
    return Move("pause", f"{_DEAD_MAX} launches one after the other failed: {names}")


def decide_schedule(
    trigger: Trigger, known: Mapping[str, Launch], waits: Going | None, now: datetime
) -> list[Move]:
    """Decide about the times of a schedule that have come.

    Args:
        trigger: A schedule.
        known: All its launches.
        waits: What still goes on.
        now: Now.
    """
    schedule = trigger.schedule
    assert schedule is not None
    since = datetime.fromisoformat(trigger.since)
    fresh: list[datetime] = []
    for moment in cron.due(schedule.cron, schedule.zone, since, now, _LOOKED_BACK):
        if cron.key_of(moment) in known:
            break
        fresh.append(moment)
    if not fresh:
        (coming,) = cron.coming(schedule.cron, schedule.zone, now, 1)
        return [Move("nothing", f"next at {_clock(coming)}")]
    made = fresh[: max(1, schedule.catch_up)]
    missed = len(fresh) - len(made)
    decisions: list[Move] = []
    for moment in reversed(made):
        key, late_s = cron.key_of(moment), (now - moment).total_seconds()
        late = f"late by {told(late_s)}" if late_s > GRACE_S else "by the clock"
        if late_s > schedule.window_s or (not schedule.catch_up and late_s > GRACE_S):
            decisions.append(Move("leave out", f"missed at {_clock(moment)}, {late}", key))
            continue
        if missed and moment is made[-1]:
            late += f"; {missed} earlier {'times were' if missed > 1 else 'time was'} missed"
        if not waits:
            decisions.append(Move("launch", late, key))
        elif schedule.overlap == "queue" or waits.made_up_after(moment):
            decisions.append(Move("wait", f"{_clock(moment)} waits because {waits.why}", key))
        elif schedule.overlap == "skip":
            decisions.append(Move("leave out", f"skipped because {waits.why}", key))
        else:
            decisions.append(Move("cancel", f"{waits.why}, and it is time for the next", key))
    return decisions


def decide_watch(
    trigger: Trigger,
    known: Mapping[str, Launch],
    waits: Going | None,
    now: datetime,
    observed: Observed,
    sighted: Sighted,
    read: Callable[[], Taken],
    settled: SettledFolders | None = None,
) -> Move:
    """Decide about the data of a watch.

    Args:
        trigger: A watch.
        known: All its launches.
        waits: What still goes on.
        now: Now.
        observed: What was seen of the data, this look included.
        sighted: This look.
        read: Reads the data; asked only when nobody writes it.
        settled: Which folders of it are whole, where each is by itself; ``sighted`` and what is
            read are of those alone.
    """
    watch = trigger.watch
    assert watch is not None
    if settled is not None and not settled.whole:
        return _none_whole(watch, settled, now)
    if settled is None and not is_ready(watch, observed, sighted):
        return _not_ready(watch, observed, now)
    if waits:
        return Move("wait", f"{waits.why}; the data is looked at when it has ended")
    taken = read()
    if before := known.get(taken.digest):
        move = Move("nothing", _seen_before(trigger, before), snapshot=taken.digest)
    elif settled and (waiting := _withheld(watch, settled, taken, now)):
        return waiting
    elif taken.changes is None:
        first = f"first data: {taken.files} files"
        move = Move("launch", first, taken.digest, 1, taken.digest)
    else:
        move = _compared(watch, known, now, taken, taken.changes)
    if settled and settled.written:
        left_out = f"left out, perhaps being written: {settled}"
        move = replace(move, why=f"{move.why}; {left_out}")
    whole = f"marker {watch.marker}" if watch.marker else "quiet, no marker"
    return replace(move, listing=sighted.digest, whole=whole) if move.what == "launch" else move


def _compared(
    watch: WatchSettings, known: Mapping[str, Launch], now: datetime, taken: Taken, found: Changes
) -> Move:
    """Decide about data that was not trained on yet, and is whole."""
    key = taken.digest
    if found.shrunk and found.shrunk >= watch.shrink:
        return Move("hold", _shrunk(found), key, 1, key)
    trained = datetime.fromisoformat(taken.trained)
    enough, stands = reached(thresholds(list(watch.when)), found, trained, now)
    if taken.withheld and not found.added and not found.removed:
        stands = "the same images in all folders that are whole"
    stands += f", counted from run {taken.run}"
    if not enough:
        return Move("nothing", stands, snapshot=key)
    if watch.at_most and (until := _too_often(watch.at_most, known, now)):
        why = f"{stands}; trained {watch.at_most} already, next at {_clock(until)}"
        return Move("wait", why)
    return Move("launch", stands, key, 1, key)


def _none_whole(watch: WatchSettings, settled: SettledFolders, now: datetime) -> Move:
    """Decide about data of which no folder is whole."""
    if hold := _never_whole(watch, settled.since, now, "no folder of the data has been whole"):
        return hold
    if watch.quiet_s is None:
        return Move("wait", f"in no folder is {watch.marker} newer than all beside it: {settled}")
    for_s = min(settled.longest_quiet_s(now), watch.quiet_s)
    why = f"perhaps every folder is being written: at most quiet for {told(for_s)} of "
    return Move("wait", f"{why}{told(watch.quiet_s)}: {settled}")


def _withheld(
    watch: WatchSettings, settled: SettledFolders, taken: Taken, now: datetime
) -> Move | None:
    """Wait where too much of what was trained on is being written, which is not gone."""
    before = taken.withheld + (taken.changes.files_before if taken.changes else 0)
    if not taken.withheld or taken.withheld / before < watch.shrink:
        return None
    what = f"{taken.withheld} of {before} files that run {taken.run} was trained on lie in folders "
    if hold := _never_whole(watch, settled.since, now, f"{what}that have not been whole"):
        return replace(hold, key=taken.digest, snapshot=taken.digest)  # confirmed: without them
    return Move("wait", f"{what}that are being written: {settled}")


def _never_whole(watch: WatchSettings, since: str, now: datetime, what: str) -> Move | None:
    """Ask a person about what has not been whole for too long."""
    restless_s = (now - datetime.fromisoformat(since)).total_seconds() if since else 0.0
    if restless_s <= watch.max_wait_s:
        return None
    return Move("hold", f"{what} for {told(restless_s)}, more than {told(watch.max_wait_s)}")


def needs_files(asked: Thresholds) -> bool:
    """Whether thresholds count images or folders, which one file of many images does not show."""
    return asked.images is not None or asked.identities is not None or asked.changed is not None


def _not_ready(watch: WatchSettings, observed: Observed, now: datetime) -> Move:
    if hold := _never_whole(watch, observed.restless_since, now, "the data has not been whole"):
        return hold
    if watch.marker:
        return Move("wait", f"waits for {watch.marker}, newer than all beside it")
    assert watch.quiet_s is not None
    for_s = min(observed.quiet_for_s(), watch.quiet_s)
    looks = f", seen so {observed.looks} of {LOOKS} times" if observed.looks < LOOKS else ""
    why = f"perhaps it is being written: quiet for {told(for_s)} of {told(watch.quiet_s)}{looks}"
    return Move("wait", why)


def _seen_before(trigger: Trigger, before: Launch) -> str:
    state, latest = before.state(trigger.retries), before.latest
    if latest is None or state in ("superseded", "dismissed", "skipped"):
        return f"this data was left out: {before.end.why if before.end else state}"
    if state == "done":
        return f"trained as run {latest.run} on {latest.reserved[:10]}"
    return f"this data is run {latest.run}: {state}"


def _shrunk(found: Changes) -> str:
    return f"{found.files} files where there were {found.files_before}: {found.shrunk:.0%} are gone"


def _too_often(at_most: str, known: Mapping[str, Launch], now: datetime) -> datetime | None:
    """Return from when on another launch is allowed; None where it is now."""
    allowed = rate(at_most, "--at-most")
    period = timedelta(seconds=allowed.period_s)
    begun = sorted(
        datetime.fromisoformat(launch.attempts[0].reserved)
        for launch in known.values()
        if launch.attempts
    )
    within = [moment for moment in begun if moment > now - period]
    return within[-allowed.count] + period if len(within) >= allowed.count else None


def _clock(moment: datetime) -> str:
    return moment.isoformat(sep=" ", timespec="minutes")
