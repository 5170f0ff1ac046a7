"""Sync: every finished job of slimline's pipelines is imported, whoever launched it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from components.contract.errors import UserError
from pipelines.engines.kubeflow.bucket.pipeline_root import open_root
from pipelines.engines.kubeflow.bucket.versions import PipelineVersion, is_version_name
from pipelines.engines.kubeflow.results.result_importer import ResultImporter
from pipelines.engines.kubeflow.results.run_records import EndedRun, put_run
from pipelines.engines.kubeflow.syncing import IMPORTED, Synced
from pipelines.engines.vertex.engine import ENGINE
from pipelines.engines.vertex.jobs import PipelineJobs
from pipelines.engines.vertex.pipeline_job import PipelineJob
from pipelines.engines.vertex.results import failures, folders_of
from pipelines.runs.cache import Cache
from pipelines.runs.live.events import StepSkipped
from pipelines.runs.live.settled_steps import Settled
from pipelines.runs.records import foreign_run_id, run_ids
from pipelines.stores.layout import run_key
from pipelines.stores.store import Store


def sync(
    jobs: PipelineJobs,
    cache: Cache,
    scratch: Path,
    on_result: Callable[[Synced], None] = lambda _: None,
) -> list[Synced]:
    """Import every finished job that is not there yet.

    Each is imported by itself: one that is damaged does not hinder the others.

    Args:
        jobs: The jobs of a project.
        cache: Of the store that they are imported into.
        scratch: A folder of this machine for what is on its way.
        on_result: Called with each job as soon as it is dealt with.

    Raises:
        UserError: Vertex AI, the bucket or the store cannot be used.
    """
    roots: dict[str, Store] = {}
    synced: list[Synced] = []
    for job in jobs.ours():
        if not is_version_name(job.version):
            continue
        if job.root not in roots:
            roots[job.root] = open_root(job.root)
        result = _one(jobs, roots[job.root], job, cache, scratch)
        synced.append(result)
        on_result(result)
    return synced


def run_id(name: str, job: PipelineJob) -> str:
    """Return the identifier under which a store keeps a job, always the same.

    A job that slimline launched is called as its launch. Any other, such as one of a schedule,
    gets an identifier of the same form from when it was created and from its own.
    """
    if not job.scheduled and run_ids(name).fullmatch(job.identifier):
        return job.identifier
    return foreign_run_id(name, job.created, job.identifier)


def _one(
    jobs: PipelineJobs, root: Store, listed: PipelineJob, cache: Cache, scratch: Path
) -> Synced:
    try:
        version = PipelineVersion.get(root, listed.version)
    except UserError as error:
        return Synced(listed.identifier, listed.identifier, "damaged", error=error)
    name = run_id(version.graph.name, listed)
    if cache.store.stat(run_key(name)) is not None:
        return Synced(name, listed.identifier, "here already")
    if listed.outcome == "running":
        return Synced(name, listed.identifier, "still running")
    try:
        job = jobs.get(listed.identifier)  # listings have no tasks
    except LookupError:  # deleted since it was listed
        return Synced(name, listed.identifier, "gone")
    try:
        importer = ResultImporter(
            root, version, job.identifier, name, cache, scratch,
            folders=folders_of(version.graph, root, lambda: job), engine=ENGINE,
        )  # fmt: skip
        importer.import_all(complete=job.outcome == "done")
    except UserError as error:
        return Synced(name, job.identifier, "damaged", error=error)
    steps = dict(_settled(jobs, job, version, importer))
    page = jobs.place.page_of(job.identifier)
    ended = EndedRun(job.outcome, job.created, job.ended or job.created, steps, page, ENGINE)
    put_run(cache.store, root, version, name, ended)
    return Synced(name, job.identifier, IMPORTED, job.outcome)


def _settled(
    jobs: PipelineJobs, job: PipelineJob, version: PipelineVersion, importer: ResultImporter
) -> Iterator[tuple[str, Settled]]:
    """Yield by step how it ended."""
    told: dict[str, Settled] = dict(importer.done)
    if job.outcome == "failed":
        failed = failures(job, version.graph, jobs.place, importer.done.keys())
        told |= {one.step: one for one in failed}
    for step in version.graph.ordered:
        task = job.tasks.get(step.name)
        killed = task is not None and task.state == "CANCELLED"
        yield step.name, told.get(step.name, StepSkipped(step.name, cancelled=killed))
