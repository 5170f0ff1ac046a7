"""Sync: every finished run of slimline's pipelines is imported, whoever launched it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any, Literal

from components.contract.errors import UserError
from pipelines.engines.kubeflow.api.connection import Connection, Resource
from pipelines.engines.kubeflow.bucket.versions import PipelineVersion
from pipelines.engines.kubeflow.launching.launch_record import launch_of
from pipelines.engines.kubeflow.owned_runs import owned_runs
from pipelines.engines.kubeflow.results.result_importer import ENGINE, ResultImporter
from pipelines.engines.kubeflow.results.run_records import EndedRun, put_run
from pipelines.engines.kubeflow.watching.failures import Failures
from pipelines.engines.kubeflow.watching.going_on import go_on
from pipelines.engines.kubeflow.watching.retrying import Retries, Retry
from pipelines.engines.kubeflow.watching.status import FINAL, Outcome, outcome_of, states
from pipelines.engines.kubeflow.watching.step_logs import StepLogs
from pipelines.runs.cache import Cache
from pipelines.runs.live.cancelling import read_cancellation
from pipelines.runs.live.events import StepSkipped
from pipelines.runs.live.settled_steps import Settled
from pipelines.runs.records import foreign_run_id, run_ids
from pipelines.stores.bucket import BucketStore
from pipelines.stores.layout import run_key
from pipelines.stores.store import Store

State = Literal[
    "imported", "here already", "still running", "gone on with", "tried again", "gone", "damaged"
]
IMPORTED: State = "imported"


@dataclass(frozen=True)
class Synced:
    """What became of one run.

    Attributes:
        run: Identifier under which the store keeps it.
        kfp_run: Kubeflow's identifier.
        state: What was done; ``gone on with``: its next part was started.
        outcome: ``done``, ``failed`` or ``cancelled``; None while it runs or is damaged.
        error: What keeps it from being imported.
    """

    run: str
    kfp_run: str
    state: State
    outcome: str | None = None
    error: UserError | None = None

    def to_json(self) -> dict[str, Any]:
        """Return one entry of the document of ``slimline sync --json``."""
        error = {"what": self.error.what, "fix": self.error.fix} if self.error else None
        return {
            "run": self.run, "kfp_run": self.kfp_run, "state": self.state, "outcome": self.outcome,
            "error": error,
        }  # fmt: skip


def sync(
    connection: Connection,
    cache: Cache,
    scratch: Path,
    on_result: Callable[[Synced], None] = lambda _: None,
    *,
    retry: bool = False,
) -> list[Synced]:
    """Import every finished run that is not there yet.

    Each run is imported by itself: one that is damaged does not hinder the others.

    Args:
        connection: The API server.
        cache: Of the store that the runs are imported into.
        scratch: A folder of this machine for what is on its way.
        on_result: Called with each run as soon as it is dealt with.
        retry: Have runs that failed tried again first, as often in all as is configured.

    Raises:
        UserError: The server, the bucket or the store cannot be used.
    """
    synced: list[Synced] = []
    launches: set[str] = set()
    owned = list(owned_runs(connection))
    of_run = {run.run_id: known for run, known in owned}
    for parts in _in_parts(run for run, _ in owned):
        run, known = parts[-1], of_run[parts[-1].run_id]
        if isinstance(known, UserError):
            result = Synced(run.display_name, run.run_id, "damaged", error=known)
        else:
            version, root = known
            name = run_id(version.graph.name, run, launches)
            launches.add(name)
            result = _one(connection, root, version, parts, name, cache, scratch, retry=retry)
        synced.append(result)
        on_result(result)
    return synced


def run_id(name: str, run: Resource, launches: Collection[str] = ()) -> str:
    """Return the identifier under which a store keeps a run of Kubeflow, always the same.

    A run that slimline launched is called as its launch. Any other, such as one of a schedule or
    one that somebody started in the user interface, gets an identifier of the same form from when
    it was created and from Kubeflow's own.

    Args:
        name: Of the pipeline.
        run: As the API tells of it.
        launches: What older runs are called: only the oldest of a name is the launch.
    """
    launch, _ = launch_of(run.display_name)
    if not run.recurring_run_id and launch not in launches and run_ids(name).fullmatch(launch):
        return launch
    return foreign_run_id(name, run.created_at, run.run_id)


def _in_parts(runs: Iterable[Resource]) -> list[list[Resource]]:
    """Return the runs, those of one launch together in the order of its parts.

    Of two that are called alike the older one counts as the part, and the other one for itself.
    """
    launched = run_ids()
    found: dict[str, dict[int, Resource]] = {}
    for run in runs:
        launch, number = launch_of(run.display_name)
        if run.recurring_run_id or not launched.fullmatch(launch):
            launch = run.run_id
        of_launch = found.setdefault(launch, {})
        if of_launch.setdefault(number, run) is not run:
            found[run.run_id] = {number: run}
    return [[part for _, part in sorted(parts.items())] for parts in found.values()]


def finish(
    store: Store,
    root: Store,
    version: PipelineVersion,
    run: str,
    kfp: Resource,
    page: str,
    importer: ResultImporter,
    failures: Failures,
    retries: Retries,
    outcome: Outcome,
) -> None:
    """Write the record of a run whose results are imported, and register its release.

    Args:
        store: Where.
        root: Its pipeline root.
        version: Its pipeline version.
        run: Identifier under which the store keeps it.
        kfp: The run as the API tells of it.
        page: Where the user interface shows it.
        importer: What was imported.
        failures: Finds out why it failed, where it did.
        retries: How often it was tried again.
        outcome: How it ended.
    """
    steps = dict(_settled(version, kfp, failures, importer))
    created = kfp.created_at.astimezone(UTC)
    finished = max(created, kfp.finished_at.astimezone(UTC))
    retried = [
        {"number": one.number, "steps": list(one.steps), "at": one.at} for one in retries.all()
    ]
    ended = EndedRun(outcome, created, finished, steps, page, ENGINE, retried)
    put_run(store, root, version, run, ended)


def _settled(
    version: PipelineVersion, kfp: Resource, failures: Failures, importer: ResultImporter
) -> Iterator[tuple[str, Settled]]:
    told: dict[str, Settled] = dict(importer.done)
    if outcome_of(kfp) == "failed":
        for failure in failures.of(kfp, importer.done):
            importer.keep_log(failure.step, failure.log)
            told[failure.step] = failure.event()
    killed = states(kfp)
    for step in version.graph.ordered:
        skipped = StepSkipped(step.name, cancelled=killed.get(step.name) == "FAILED")
        yield step.name, told.get(step.name, skipped)


def _one(
    connection: Connection,
    root: BucketStore,
    version: PipelineVersion,
    parts: Sequence[Resource],
    name: str,
    cache: Cache,
    scratch: Path,
    *,
    retry: bool,
) -> Synced:
    run = parts[-1]
    kept = cache.store.stat(run_key(name)) is not None
    if kept or run.state not in FINAL:
        return Synced(name, run.run_id, "here already" if kept else "still running")
    page = connection.page_of(run.run_id)
    logs = StepLogs(connection, root, version.graph.name, run.run_id)
    failures = Failures(logs, version.part, page, connection.namespace, fits=version.fits)
    retries = Retries(connection, root, version, run.run_id)
    try:
        full = connection.ask(connection.runs.run_service_get_run, run.run_id)
        outcome = outcome_of(full)
        full.created_at = parts[0].created_at  # the first part began what the last one ended
        launch = () if version.only is None else [part.run_id for part in parts]
        importer = ResultImporter(root, version, run.run_id, name, cache, scratch, launch)
        importer.import_all(complete=run.state == "SUCCEEDED")
        if run.state == "SUCCEEDED" and version.only is not None:
            rest = go_on(connection, root, name, importer, cache, scratch)
            if rest == "cancelled":
                outcome = "cancelled"
            elif rest != "none":
                state: State = "gone on with" if rest == "started" else "still running"
                return Synced(name, run.run_id, state)
        asked = read_cancellation(cache.store, name)
        if retry and outcome == "failed" and asked is None:
            found = failures.of(full, importer.done)
            if isinstance(retries.claim(full, found), Retry):
                retries.order()
                return Synced(name, run.run_id, "tried again")
        finish(
            cache.store, root, version, name, full, page, importer, failures, retries, outcome
        )  # fmt: skip
    except UserError as error:
        return Synced(name, run.run_id, "damaged", error=error)
    except LookupError:
        return Synced(name, run.run_id, "gone")
    return Synced(name, run.run_id, IMPORTED, outcome)
