"""What ``triggers --json``, ``schedule --json``, ``watch --json`` and ``tick --json`` print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.triggers.settings import ScheduleSettings, WatchSettings
from pipelines.triggers.ticks import Tick


@dataclass(frozen=True)
class ListedLaunch:
    """What became of one time, or of one snapshot.

    Attributes:
        key: The nominal minute in UTC, or the digest of the snapshot.
        state: ``reserved``, ``running``, ``done``, ``killed`` (it is begun anew), ``failed`` (it is
            tried again), ``dead letter`` (it is not), ``cancelled``, ``skipped``, ``superseded`` or
            ``dismissed``.
        runs: The run of each attempt.
        why: What it was launched for, or why it was left out.
    """

    key: str
    state: str
    runs: Sequence[str]
    why: str


@dataclass(frozen=True)
class ListedTrigger:
    """One trigger.

    Attributes:
        name: What people call it.
        kind: ``schedule`` or ``watch``.
        uid: Of the trigger; what it launched lies under ``launches/<uid>/``.
        config_digest: Digest of its configuration.
        data: Where its data is.
        engine: Which engine runs it.
        schedule: Its times, or null.
        watch: What it waits for, or null.
        retries: How often a launch that failed is tried again.
        since: Nothing before this moment is made up for, ISO 8601.
        actor: Who added it.
        paused: Why nothing starts; empty while it is on.
        next: The next five times of a schedule, ISO 8601 in its zone.
        overdue: Since when nobody has evaluated it who should have, in words; empty if not so.
        last_tick: The latest evaluation, or null.
        launches: In the order in which they were reserved.
    """

    name: str
    kind: str
    uid: str
    config_digest: str
    data: str
    engine: str
    schedule: ScheduleSettings | None
    watch: WatchSettings | None
    retries: int
    since: str
    actor: str
    paused: str
    next: Sequence[str]
    overdue: str
    last_tick: Tick | None
    launches: Sequence[ListedLaunch]


@dataclass(frozen=True)
class NativeSchedule:
    """A recurring run that slimline made in a cluster, which starts its runs without ticks.

    Attributes:
        name: What people call it.
        kind: ``native``.
        cron: Five fields.
        zone: The time zone that they are in.
        enabled: Whether it starts runs.
        recurring_run: The cluster's identifier.
        next: When it comes next, ISO 8601.
    """

    name: str
    kind: str
    cron: str
    zone: str
    enabled: bool
    recurring_run: str
    next: Sequence[str]


@dataclass(frozen=True)
class ListedTriggers:
    """What triggers there are.

    Attributes:
        triggers: By name.
        native: Recurring runs of a cluster; only where ``list --engine kubeflow`` asks for them.
    """

    triggers: Sequence[ListedTrigger]
    native: Sequence[NativeSchedule] = ()


@dataclass(frozen=True)
class TickedTrigger:
    """What one evaluation of a trigger came to.

    Attributes:
        trigger: Its name.
        ticks: What was decided.
        error: ``what`` and ``fix`` of what kept it from being evaluated, or null.
    """

    trigger: str
    ticks: Sequence[Tick]
    error: dict[str, str] | None


@dataclass(frozen=True)
class LaunchedByHand:
    """What came of ``slimline triggers run`` or ``slimline triggers retry``.

    Attributes:
        run: Identifier of the run.
        outcome: Its outcome; ``superseded``, ``elsewhere`` or ``refused`` where it did not begin
            here.
        why: Why it did not; empty otherwise.
    """

    run: str
    outcome: str
    why: str
