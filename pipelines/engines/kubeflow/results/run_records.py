"""The record of a run that a cluster carried out, written when it has ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pipelines.engines.kubeflow.bucket.pipeline_root import staged_listing
from pipelines.engines.kubeflow.bucket.versions import PipelineVersion
from pipelines.runs.joined_records import join_records
from pipelines.runs.kept.kept_documents import put_documents
from pipelines.runs.kept.kept_graphs import put_graph
from pipelines.runs.kept.kept_sources import put_source
from pipelines.runs.live.events import StepDone
from pipelines.runs.live.settled_steps import Settled, critical_path, settled_json
from pipelines.runs.records import RunRecord, put_finished, read_started
from pipelines.runs.releases.registry import register_release
from pipelines.stores.layout import source_key
from pipelines.stores.store import Store


@dataclass(frozen=True)
class EndedRun:
    """How a run of a cluster ended.

    Attributes:
        outcome: ``done``, ``failed`` or ``cancelled``.
        created: When the cluster had it.
        finished: When it had ended.
        steps: How each step ended.
        page: Where the cluster itself shows the run.
        engine: Which engine ran it.
        retries: What was tried again, and when.
    """

    outcome: str
    created: datetime
    finished: datetime
    steps: Mapping[str, Settled]
    page: str
    engine: str
    retries: Sequence[Mapping[str, object]] = ()


def put_run(store: Store, root: Store, version: PipelineVersion, run: str, ended: EndedRun) -> None:
    """Write the record of a run whose results are imported, and register its release.

    Args:
        store: Where.
        root: Its pipeline root.
        version: Its pipeline version.
        run: Identifier under which the store keeps it.
        ended: How it ended.
    """
    published = ended.steps.get("publish")
    if ended.outcome == "done" and isinstance(published, StepDone):
        release = published.outputs["release"]
        register_release(store, version.graph.name, run, release, _iso(ended.finished))
    _put_provenance(store, root, version)
    begun = read_started(store, run)
    record = RunRecord(
        run=run,
        name=version.graph.name,
        config_digest=version.config_digest,
        graph_digest=version.graph.digest,
        engine=ended.engine,
        started=_iso(ended.created),
        finished=_iso(ended.finished),
        outcome=ended.outcome,
        budgets=version.budgets,
        steps={name: settled_json(event) for name, event in ended.steps.items()},
        sources=version.sources,
        wall_s=(ended.finished - ended.created).total_seconds(),
        critical_path_s=critical_path(version.graph, ended.steps),
        page=ended.page,
        variants=version.variants,
        actor=begun.actor if begun else "",
        places=begun.places if begun else {},
        retries=[dict(one) for one in ended.retries],
    )
    put_finished(store, record)
    join_records(store, run)


def _put_provenance(store: Store, root: Store, version: PipelineVersion) -> None:
    """Keep what the digests in a run's records are of, as whoever submitted it wrote it down."""
    put_graph(store, version.graph)
    put_documents(store, version.documents)
    for digest in version.sources.values():
        if store.stat(source_key(digest)) is None and (listing := staged_listing(root, digest)):
            put_source(store, listing)


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
