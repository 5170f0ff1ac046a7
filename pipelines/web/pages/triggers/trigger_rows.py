"""Triggers as pages show them: how it stands with each, what comes next, what has been."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cronsim import CronSim

from pipelines.stores.layout import observed_key
from pipelines.triggers.amounts import thresholds, told
from pipelines.triggers.kept import get_json
from pipelines.triggers.known_launches import KnownLaunches
from pipelines.triggers.launches import Launch, launches
from pipelines.triggers.observing import LOOKS, Observed, read_observed
from pipelines.triggers.settings import ScheduleSettings, Trigger, WatchSettings
from pipelines.triggers.standing import held_now, next_times, overdue, running_long
from pipelines.triggers.ticks import Tick, read_ticks
from pipelines.web.service import Service

_NEXT = 5
_MINUTE = re.compile(r"(\d{8}T\d{4})Z")
_BY_HAND = re.compile(r"(\d{8}T\d{6})\.\d{3}-by-hand")
_GOING = ("reserved", "running", "killed", "failed")
_LOOKS: Mapping[str, tuple[str, str]] = {
    "reserved": ("waiting", "about to begin"),
    "killed": ("killed", "killed, begins anew"),
    "failed": ("failed", "failed, tried again"),
    "dead letter": ("failed", "dead letter"),
    "superseded": ("skipped", "superseded"),
    "dismissed": ("cancelled", "dismissed"),
    "skipped": ("skipped", "left out"),
}
_DECIDED: Mapping[str, tuple[str, str]] = {
    "launch": ("done", "launched"),
    "leave out": ("skipped", "left out"),
    "cancel": ("cancelled", "ended the run before"),
    "wait": ("waiting", "waited"),
    "hold": ("broken", "held"),
    "pause": ("cancelled", "paused itself"),
    "paused": ("cancelled", "paused"),
    "nothing": ("skipped", "nothing to do"),
    "error": ("failed", "could not look"),
}


@dataclass(frozen=True)
class Gauge:
    """How far something has come that a watch waits for.

    Attributes:
        words: Such as ``140 of 200 new images``.
        share: From 0; 1 or more is reached.
    """

    words: str
    share: float


@dataclass(frozen=True)
class LaunchRow:
    """A launch.

    Attributes:
        launch: That.
        icon: The state whose icon it has.
        word: How its state is called.
        what: The time, or ``data``, or ``by hand``.
        digest: Of the snapshot, where it is about one.
        at: The nominal time, or when it was reserved; empty where it was left out.
        why: What it was launched for, or why it was left out.
        dead: Whether it waits for somebody to retry or dismiss it.
        faults: Steps of its latest run that failed, each with what was wrong and what to do.
    """

    launch: Launch
    icon: str
    word: str
    what: str
    digest: str
    at: str
    why: str
    dead: bool
    faults: Sequence[tuple[str, str, str]]


@dataclass(frozen=True)
class TickRow:
    """An evaluation, or several that came to the same.

    Attributes:
        tick: That.
        icon: The state whose icon it has.
        word: What was decided.
    """

    tick: Tick
    icon: str
    word: str


@dataclass(frozen=True)
class TriggerRow:
    """How it stands with a trigger.

    Attributes:
        trigger: That.
        when: When it runs, in words.
        next: When it comes next, in its zone; nothing of a watch.
        ticks: Its latest evaluations, the newest first.
        launches: The newest first.
        gauges: How far a watch is from its thresholds.
        quiet: How far its data is from being quiet; None where it is not waited for.
        taken: What reading its data has told last, in words; empty while nobody has.
        held: What waits for somebody to confirm it; None while nothing does.
        overdue: That nobody has evaluated it, in words; empty if that is not so.
        long: That a run takes far longer than usual, in words; empty if none does.
    """

    trigger: Trigger
    when: str
    next: Sequence[datetime]
    ticks: Sequence[TickRow]
    launches: Sequence[LaunchRow]
    gauges: Sequence[Gauge]
    quiet: Gauge | None
    taken: str
    held: Tick | None
    overdue: str
    long: str

    @property
    def dead(self) -> Sequence[LaunchRow]:
        """Launches that failed for good, and about which nobody has decided."""
        return [one for one in self.launches if one.dead]

    @property
    def going(self) -> Sequence[LaunchRow]:
        """Launches whose runs go on or come by themselves."""
        return [one for one in self.launches if one.launch.state(self.trigger.retries) in _GOING]

    @property
    def look(self) -> tuple[str, str]:
        """The state whose icon it has, and how it stands in a word."""
        if self.trigger.paused:
            return "cancelled", "paused"
        if self.held:
            return "broken", "held"
        if self.overdue:
            return "broken", "overdue"
        if self.dead:
            return "failed", "dead letter"
        if self.going:
            return "running", "running"
        return "waiting", "waits"


def row_of(service: Service, trigger: Trigger, now: datetime) -> TriggerRow:
    """Return how it stands with a trigger.

    Raises:
        UserError: The store cannot be read.
    """
    store, before = service.store, service.launches.recall("", trigger.uid, KnownLaunches)
    ticks = read_ticks(store, trigger.name)
    known = list(launches(store, trigger, before).values())
    observed = read_observed(get_json(store, observed_key(trigger.name)))
    watch = trigger.watch
    return TriggerRow(
        trigger,
        when=_when(trigger),
        next=next_times(trigger, _NEXT, now),
        ticks=[TickRow(one, *_DECIDED.get(one.what, ("waiting", one.what))) for one in ticks[::-1]],
        launches=[_launch_row(trigger, one) for one in reversed(known)],
        gauges=_gauges(watch, observed, now) if watch else (),
        quiet=_quiet(watch, observed) if watch and observed else None,
        taken=_taken(observed),
        held=held_now(ticks, known),
        overdue=overdue(trigger, ticks[-1].last if ticks else "", now),
        long=running_long(known, now),
    )


def _launch_row(trigger: Trigger, launch: Launch) -> LaunchRow:
    state = launch.state(trigger.retries)
    icon, word = _LOOKS.get(state, (state, state))
    at = launch.latest.reserved if launch.latest else ""
    what, digest = "data", launch.key
    if found := _MINUTE.fullmatch(launch.key):
        what, digest = "time", ""
        at = datetime.strptime(found[1], "%Y%m%dT%H%M").replace(tzinfo=UTC).isoformat()
    elif _BY_HAND.fullmatch(launch.key):
        what, digest = "by hand", ""
    why = launch.end.why if launch.end else launch.latest.why if launch.latest else ""
    return LaunchRow(
        launch,
        icon,
        word,
        what,
        digest,
        at,
        why,
        dead=state == "dead letter",
        faults=_faults(launch),
    )


def _faults(launch: Launch) -> Sequence[tuple[str, str, str]]:
    if launch.record is None:
        return ()
    return [
        (name, str(step.get("what") or "it does not say why"), str(step.get("fix") or ""))
        for name, step in launch.record.steps.items()
        if step["state"] == "failed"
    ]


def _when(trigger: Trigger) -> str:
    schedule, watch = trigger.schedule, trigger.watch
    return _cron_in_words(schedule) if schedule else _watch_in_words(watch) if watch else ""


def _cron_in_words(schedule: ScheduleSettings) -> str:
    return CronSim(schedule.cron, datetime.now(UTC)).explain()


def _watch_in_words(watch: WatchSettings) -> str:
    asked = ", or ".join(_threshold(one) for one in watch.when) or "anything has changed"
    often = f", at most {watch.at_most.replace('/', ' in ')}" if watch.at_most else ""
    return f"When {asked}{often}"


def _threshold(text: str) -> str:
    kind, _, amount = text.partition(":")
    return {
        "images": f"{amount} images are new",
        "identities": f"{amount} identities are new",
        "changed": f"{amount} has changed",
        "age": f"the last training is {amount} old and something has changed",
    }.get(kind, text)


def _gauges(watch: WatchSettings, observed: Observed | None, now: datetime) -> Sequence[Gauge]:
    """Return how far data that was read is from each threshold."""
    found = observed.taken.changes if observed and observed.taken else None
    if observed is None or observed.taken is None or found is None:
        return ()
    asked = thresholds(list(watch.when))
    gauges: list[Gauge] = []
    if asked.images is not None:
        words = f"{found.added:,} of {asked.images:,} new images"
        gauges.append(Gauge(words, found.added / asked.images))
    if asked.identities is not None:
        words = f"{found.folders:,} of {asked.identities:,} new identities"
        gauges.append(Gauge(words, found.folders / asked.identities))
    if asked.changed is not None:
        words = f"{found.share:.1%} of {asked.changed:.1%} changed"
        gauges.append(Gauge(words, found.share / asked.changed if asked.changed else 1.0))
    if asked.age_s is not None:
        age_s = (now - datetime.fromisoformat(observed.taken.trained)).total_seconds()
        words = f"{told(age_s)} of {told(asked.age_s)} since the last training"
        gauges.append(Gauge(words, age_s / asked.age_s))
    return gauges


def _quiet(watch: WatchSettings, observed: Observed) -> Gauge | None:
    """Return how long data has been quiet that has to be so for a while, or how much of it is."""
    if watch.settle == "folder" and observed.restless_since and observed.folders:
        whole = sum(not one.since for one in observed.folders.values())
        words = f"{whole} of {len(observed.folders)} folders are whole"
        return Gauge(words, whole / len(observed.folders))
    if watch.marker or not watch.quiet_s or not observed.restless_since:
        return None
    quiet_s = min(observed.quiet_for_s(), watch.quiet_s)
    words = (
        f"quiet for {told(quiet_s)} of {told(watch.quiet_s)}, "
        f"seen so {min(observed.looks, LOOKS)} of {LOOKS} times"
    )
    return Gauge(words, quiet_s / watch.quiet_s)


def _taken(observed: Observed | None) -> str:
    if observed is None or observed.taken is None:
        return ""
    read = observed.taken
    if read.changes is None:
        return f"{read.files:,} files, none trained on yet"
    return f"{read.files:,} files: {read.changes}, counted from run {read.run}"
