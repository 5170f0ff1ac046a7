"""A launch carried out: under its lease, to the end, once."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from components.contract.errors import UserError
from pipelines.engines.engine import Cluster
from pipelines.engines.opening import CLUSTERED
from pipelines.launch.cancelling import cancel_run
from pipelines.launch.launching import DataChangedError, Launched, Ordered, launch
from pipelines.runs.cancelling import RunEndedError, ask_to_end
from pipelines.runs.events import Event
from pipelines.runs.killed import record_killed
from pipelines.runs.records import put_finished, read_run
from pipelines.stores.layout import launch_lease_key, run_key, started_key
from pipelines.stores.leases import Lease, Leases
from pipelines.stores.store import Store
from pipelines.triggers.kept import config_of
from pipelines.triggers.launch_states import Launch, LaunchAttempt
from pipelines.triggers.launches import end, read_end, refuse
from pipelines.triggers.settings import Trigger

Launcher = Callable[..., Launched]


@dataclass(frozen=True)
class Carried:
    """What became of an attempt.

    Attributes:
        what: Its run's outcome; ``superseded``: the data changed before; ``elsewhere``: somebody
            else carries it out; ``refused``: the run did not begin.
        launched: The run, where it began here.
        why: For people.
    """

    what: Literal["done", "failed", "cancelled", "running", "superseded", "elsewhere", "refused"]
    launched: Launched | None = None
    why: str = ""


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
    launcher: Launcher = launch,
    patience_s: float = 0.0,
) -> Carried:
    """Run what was reserved, unless somebody else does or has.

    Args:
        store: Where.
        trigger: What launches it.
        attempt: What was reserved.
        leases: Of this process.
        now: The clock.
        on_event: Told everything that happens.
        on_begin: Called when it is certain that it is carried out here.
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
            return Carried("elsewhere", why="somebody else has carried it out")
        if over := read_end(store, trigger, attempt.key):
            return Carried("elsewhere", why=f"left out: {over.why}")
        # What a cluster runs goes on without its watcher: the same launch watches it again.
        if trigger.engine not in CLUSTERED and store.stat(started_key(attempt.run)):
            close_killed(store, attempt.run)
            return Carried("elsewhere", why="its run was killed; the next attempt follows")
        on_begin()
        return _run(store, trigger, attempt, lease, now, on_event, launcher)
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
    ordered = Ordered(attempt.run, actor_of(trigger), attempt.snapshot, counts=lease.regain)
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
