"""Sync: every finished run of slimline's pipelines is imported, whoever launched it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from components.contract.errors import UserError
from pipelines.engines.kubeflow.connection import Connection, Resource
from pipelines.engines.kubeflow.failures import Failures
from pipelines.engines.kubeflow.going_on import go_on
from pipelines.engines.kubeflow.launch_record import launch_of
from pipelines.engines.kubeflow.pipeline_root import open_root, staged_listing
from pipelines.engines.kubeflow.result_importer import ENGINE, ResultImporter
from pipelines.engines.kubeflow.status import FINAL, outcome_of, states
from pipelines.engines.kubeflow.step_logs import StepLogs
from pipelines.engines.kubeflow.versions import PipelineVersion, is_version_name
from pipelines.runs.cache import Cache
from pipelines.runs.events import StepDone, StepSkipped
from pipelines.runs.joined_records import join_records
from pipelines.runs.kept_documents import put_documents
from pipelines.runs.kept_graphs import put_graph
from pipelines.runs.kept_sources import put_source
from pipelines.runs.records import RunRecord, put_finished, read_started
from pipelines.runs.registry import register_release
from pipelines.runs.settled_steps import Settled, critical_path, settled_json
from pipelines.stores.bucket import BucketStore
from pipelines.stores.layout import run_key, source_key
from pipelines.stores.store import Store

State = Literal["imported", "here already", "still running", "gone on with", "damaged"]
IMPORTED: State = "imported"

_LAUNCHED = r"{name}-\d{{8}}-\d{{6}}-[0-9a-f]{{4}}"


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
) -> list[Synced]:
    """Import every finished run that is not there yet.

    Each run is imported by itself: one that is damaged does not hinder the others.

    Args:
        connection: The API server.
        cache: Of the store that the runs are imported into.
        scratch: A folder of this machine for what is on its way.
        on_result: Called with each run as soon as it is dealt with.

    Raises:
        UserError: The server, the bucket or the store cannot be used.
    """
    roots: dict[str, BucketStore] = {}
    known: dict[str, PipelineVersion | UserError] = {}
    synced: list[Synced] = []
    runs = list(_ours(connection))
    parts = _parts(run for run, _, _ in runs)
    for run, version, uri in runs:
        siblings = parts[run.run_id]
        if run is not siblings[-1]:
            continue
        if uri not in roots:
            roots[uri] = open_root(uri)
        root = roots[uri]
        place = f"{uri} {version}"
        if place not in known:
            known[place] = _known(root, version)
        result = _one(connection, root, known[place], siblings, cache, scratch)
        synced.append(result)
        on_result(result)
    return synced


def run_id(name: str, run: Resource) -> str:
    """Return the identifier under which a store keeps a run of Kubeflow, always the same.

    A run that slimline launched is called as its launch. Any other, such as one of a schedule,
    gets an identifier of the same form from when it was created and from Kubeflow's own.
    """
    launch, _ = launch_of(run.display_name)
    if not run.recurring_run_id and re.fullmatch(_LAUNCHED.format(name=re.escape(name)), launch):
        return launch
    created: datetime = run.created_at.astimezone(UTC)
    short = hashlib.sha256(run.run_id.encode()).hexdigest()[:4]
    return f"{name}-{created:%Y%m%d-%H%M%S}-{short}"


def finish(
    store: Store,
    root: Store,
    version: PipelineVersion,
    run: str,
    kfp: Resource,
    page: str,
    importer: ResultImporter,
    failures: Failures,
) -> str:
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

    Returns:
        The outcome.
    """
    outcome = outcome_of(kfp)
    steps = dict(_settled(version, kfp, failures, importer))
    created = kfp.created_at.astimezone(UTC)
    finished = max(created, kfp.finished_at.astimezone(UTC))
    published = steps.get("publish")
    if outcome == "done" and isinstance(published, StepDone):
        release = published.outputs["release"]
        register_release(store, version.graph.name, run, release, _iso(finished))
    _put_provenance(store, root, version)
    begun = read_started(store, run)
    record = RunRecord(
        run=run,
        name=version.graph.name,
        config_digest=version.config_digest,
        graph_digest=version.graph.digest,
        engine=ENGINE,
        started=_iso(created),
        finished=_iso(finished),
        outcome=outcome,
        budgets=version.budgets,
        steps={name: settled_json(event) for name, event in steps.items()},
        sources=version.sources,
        wall_s=(finished - created).total_seconds(),
        critical_path_s=critical_path(version.graph, steps),
        page=page,
        variants=version.variants,
        actor=begun.actor if begun else "",
        places=begun.places if begun else {},
    )
    put_finished(store, record)
    join_records(store, run)
    return outcome


def _put_provenance(store: Store, root: Store, version: PipelineVersion) -> None:
    """Keep what the digests in a run's records are of, as whoever submitted it wrote it down."""
    put_graph(store, version.graph)
    put_documents(store, version.documents)
    for digest in version.sources.values():
        if store.stat(source_key(digest)) is None and (listing := staged_listing(root, digest)):
            put_source(store, listing)


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


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


def _ours(connection: Connection) -> Iterator[tuple[Resource, str, str]]:
    """Yield every run of a pipeline version of slimline, with the version and its root."""
    versions: dict[str, Resource | None] = {}
    listing = connection.runs.run_service_list_runs
    for run in connection.all(
        listing, "runs", namespace=connection.namespace, sort_by="created_at asc"
    ):
        reference = run.pipeline_version_reference
        if reference is None or not reference.pipeline_version_id:
            continue
        identifier = reference.pipeline_version_id
        if identifier not in versions:
            versions[identifier] = _version(connection, reference)
        version = versions[identifier]
        if version is not None and is_version_name(version.display_name):
            yield run, version.display_name, _root_of(run, version)


def _parts(runs: Iterable[Resource]) -> dict[str, list[Resource]]:
    """Return by each run of Kubeflow all those of the same launch, in the order of its parts."""
    launched = _LAUNCHED.format(name=".+")
    found: dict[tuple[str, str], dict[int, Resource]] = {}
    places: dict[str, tuple[str, str]] = {}
    for run in runs:
        launch, number = launch_of(run.display_name)
        own = run.recurring_run_id or not re.fullmatch(launched, launch)
        place = places[run.run_id] = (launch, run.run_id if own else "")
        # Of two runs that a lost answer made of one part the older one counts.
        first = found.setdefault(place, {}).setdefault(number, run)
        if first is not run:
            places[run.run_id] = (launch, run.run_id)
            found[places[run.run_id]] = {number: run}
    return {
        run: [part for _, part in sorted(found[place].items())] for run, place in places.items()
    }


def _version(connection: Connection, reference: Resource) -> Resource | None:
    try:
        return connection.ask(
            connection.pipelines.pipeline_service_get_pipeline_version,
            reference.pipeline_id,
            reference.pipeline_version_id,
        )
    except LookupError:  # somebody deleted it, and with it what says whose run this is
        return None


def _root_of(run: Resource, version: Resource) -> str:
    given = run.runtime_config and run.runtime_config.pipeline_root
    spec = version.pipeline_spec
    return given or spec.get("pipeline_spec", spec)["defaultPipelineRoot"]


def _known(root: Store, name: str) -> PipelineVersion | UserError:
    try:
        return PipelineVersion.get(root, name)
    except UserError as error:
        return error


def _one(
    connection: Connection,
    root: BucketStore,
    version: PipelineVersion | UserError,
    parts: Sequence[Resource],
    cache: Cache,
    scratch: Path,
) -> Synced:
    run = parts[-1]
    if isinstance(version, UserError):
        return Synced(run.display_name, run.run_id, "damaged", error=version)
    name = run_id(version.graph.name, run)
    if cache.store.stat(run_key(name)) is not None:
        return Synced(name, run.run_id, "here already")
    if run.state not in FINAL:
        return Synced(name, run.run_id, "still running")
    try:
        launch = () if version.only is None else [part.run_id for part in parts]
        importer = ResultImporter(root, version, run.run_id, name, cache, scratch, launch)
        importer.import_all(complete=run.state == "SUCCEEDED")
        if run.state == "SUCCEEDED" and version.only is not None:
            rest = go_on(connection, root, name, importer, cache, scratch)
            if rest != "none":
                state = "gone on with" if rest == "started" else "still running"
                return Synced(name, run.run_id, state)
    except UserError as error:
        return Synced(name, run.run_id, "damaged", error=error)
    page = connection.page_of(run.run_id)
    full = connection.ask(connection.runs.run_service_get_run, run.run_id)
    full.created_at = parts[0].created_at  # the first part began what the last one ended
    logs = StepLogs(connection, root, version.graph.name, run.run_id)
    failures = Failures(logs, version.graph, page, connection.namespace)
    outcome = finish(cache.store, root, version, name, full, page, importer, failures)
    return Synced(name, run.run_id, IMPORTED, outcome)
