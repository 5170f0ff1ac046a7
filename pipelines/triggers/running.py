"""A launch carried out: under its lease, to the end, once."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from components.contract.errors import UserError
from pipelines.engines.engine import Cluster
from pipelines.engines.opening import CLUSTERED
from pipelines.launch.cancelling import cancel_run
from pipelines.launch.launching import DataChangedError, Launched, Ordered, launch
from pipelines.releases.automatic import promote_automatically
from pipelines.runs.cache import Cache
from pipelines.runs.live.cancelling import RunEndedError, ask_to_end
from pipelines.runs.live.events import Event
from pipelines.runs.live.killed import record_killed
from pipelines.runs.records import put_finished, read_run
from pipelines.runs.workspace import workspace_root
from pipelines.stores.layout import launch_lease_key, run_key, started_key
from pipelines.stores.leases import Lease, Leases
from pipelines.stores.store import Store
from pipelines.triggers.kept import config_of
from pipelines.triggers.launch_states import Launch, LaunchAttempt
from pipelines.triggers.launches import end, read_end, refuse
from pipelines.triggers.settings import Trigger
from pipelines.triggers.ticks import begun_only, read_ticks

Launcher = Callable[..., Launched]


@dataclass(frozen=True)
class Carried:
    """What became of an attempt.

    Attributes:
        what: Its run's outcome; ``superseded``: the data changed before; ``elsewhere``: somebody
            else carries it out; ``refused``: the run did not begin.
        launched: The run, where it began here.
        why: For people.
        promotion: What came of the promotion that the configuration asks for, or what kept it from
            being; empty where it asks for none.
    """

    what: Literal["done", "failed", "cancelled", "running", "superseded", "elsewhere", "refused"]
    launched: Launched | None = None
    why: str = ""
    promotion: str = ""


def actor_of(trigger: Trigger) -> str:
    """Return who the records of its runs say started them."""
    return f"trigger {trigger.name}"


def close_killed(store: Store, run: str) -> None:
    """Write the end of a run whose engine was killed, if nobody has: it never goes on again."""
    record_killed(store)
    if store.stat(run_key(run)) is None and store.stat(started_key(run)):
        record = read_run(store, run)
        if record.outcome != "running":
            put_finished(store, record)


def carry_out(
    store: Store,
    trigger: Trigger,
    attempt: LaunchAttempt,
    leases: Leases,
    *,
    now: Callable[[], datetime],
    on_event: Callable[[Event], None],
    on_begin: Callable[[], None] = lambda: None,
    on_end: Callable[[Carried], None] = lambda _done: None,
    launcher: Launcher = launch,
    patience_s: float = 0.0,
) -> Carried:
    """Run what was reserved, unless somebody else does or has, and promote what is to be.

    Who is killed between the end of the run and ``on_end`` leaves the rest to whoever comes next.

    Args:
        store: Where.
        trigger: What launches it.
        attempt: What was reserved.
        leases: Of this process.
        now: The clock.
        on_event: Told everything that happens.
        on_begin: Called when it is certain that it is carried out here.
        on_end: Called with what became of it, while nobody else can carry it out.
        launcher: Runs a configuration: ``launch``.
        patience_s: For how long to wait for a lease that seems to be nobody's.

    Raises:
        UserError: The store fails.
    """
    lease = _lease(leases, trigger, attempt, patience_s)
    if lease is None:
        return Carried("elsewhere", why="somebody else carries it out")
    try:
        if store.stat(run_key(attempt.run)):
            if not _is_left(store, trigger, attempt):
                return Carried("elsewhere", why="somebody else has carried it out")
            return _ended(store, trigger, attempt, Carried("done"), on_end)
        if over := read_end(store, trigger, attempt.key):
            return Carried("elsewhere", why=f"left out: {over.why}")
        # What a cluster runs goes on without its watcher: the same launch watches it again.
        if trigger.engine not in CLUSTERED and store.stat(started_key(attempt.run)):
            close_killed(store, attempt.run)
            return Carried("elsewhere", why="its run was killed; the next attempt follows")
        on_begin()
        done = _run(store, trigger, attempt, lease, now, on_event, launcher)
        return _ended(store, trigger, attempt, done, on_end)
    finally:
        lease.release()


def _lease(
    leases: Leases, trigger: Trigger, attempt: LaunchAttempt, patience_s: float
) -> Lease | None:
    key = launch_lease_key(trigger.uid, attempt.key)
    about = {"trigger": trigger.name, "run": attempt.run}
    until = time.monotonic() + patience_s
    while (lease := leases.take(key, about)) is None and time.monotonic() < until:
        time.sleep(min(1.0, patience_s))
    return lease


def _run(
    store: Store,
    trigger: Trigger,
    attempt: LaunchAttempt,
    lease: Lease,
    now: Callable[[], datetime],
    on_event: Callable[[Event], None],
    launcher: Launcher,
) -> Carried:
    ordered = Ordered(
        attempt.run,
        actor_of(trigger),
        attempt.snapshot,
        settled=trigger.watch is not None and trigger.watch.settle == "folder",
        counts=lease.regain,
    )
    try:
        launched = launcher(
            config_of(trigger),
            engine=trigger.engine,
            store=store.uri,
            output=Path(trigger.output),
            cluster=cluster_of(trigger),
            ordered=ordered,
            on_event=on_event,
        )
    except DataChangedError as changed:
        at = now().isoformat(timespec="milliseconds")
        end(store, trigger, attempt.key, "superseded", changed.what, at, ordered.actor)
        return Carried("superseded", why=changed.what)
    except UserError as error:
        if store.stat(run_key(attempt.run)):
            return Carried("failed", why=str(error))
        if store.stat(started_key(attempt.run)) is None:
            refuse(store, trigger, attempt, str(error), now().isoformat(timespec="milliseconds"))
        return Carried("refused", why=str(error))
    return Carried(launched.outcome, launched)


def _is_left(store: Store, trigger: Trigger, attempt: LaunchAttempt) -> bool:
    """Whether the run of an attempt ended well, and who carried it out was killed then."""
    return (
        attempt.key in begun_only(read_ticks(store, trigger.name))
        and read_run(store, attempt.run).outcome == "done"
    )


def _ended(
    store: Store,
    trigger: Trigger,
    attempt: LaunchAttempt,
    done: Carried,
    on_end: Callable[[Carried], None],
) -> Carried:
    """Promote the release of a run that ended well where that is asked for, and tell the end."""
    if done.what == "done":
        done = replace(done, promotion=_promoted(store, trigger, attempt.run))
    on_end(done)
    return done


def _promoted(store: Store, trigger: Trigger, run: str) -> str:
    cache = Cache(store, workspace_root(store))
    try:
        return promote_automatically(cache, config_of(trigger), run) or ""
    except UserError as error:
        return f"not promoted: {error.what}; {error.fix}"


def supersede(store: Store, trigger: Trigger, one: Launch, why: str, at: str) -> None:
    """End a launch for good, and its run where that goes on.

    Args:
        store: Where.
        trigger: What launched it.
        one: The launch.
        why: For people.
        at: Now, ISO 8601.

    Raises:
        UserError: The store fails, or a cluster that nobody watches the run on.
    """
    latest, actor = one.latest, actor_of(trigger)
    if latest and one.record is None:  # whoever begins it finds that it is to end
        ask_to_end(store, latest.run, actor, why)
    elif latest and one.record and one.record.outcome == "running":
        with contextlib.suppress(RunEndedError):  # meanwhile
            cancel_run(store, latest.run, actor=actor, reason=why, cluster=cluster_of(trigger))
    end(store, trigger, one.key, "superseded", why, at, actor)


def cluster_of(trigger: Trigger) -> Cluster:
    """Return where its runs are, for an engine that is not of this machine."""
    return Cluster(trigger.host or None, trigger.namespace or None)
