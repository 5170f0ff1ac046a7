"""Where the results of a job lie, and why it failed, as the API tells of its tasks."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator

from components.contract.errors import UserError
from components.contract.execution import USER_FAULT
from pipelines.engines.kubeflow.ir.result_layout import layout_of_step
from pipelines.engines.kubeflow.results.stated import folder_of
from pipelines.engines.vertex.pipeline_job import JobTask, PipelineJob
from pipelines.engines.vertex.place import VertexPlace
from pipelines.runs.graph import Graph, Step
from pipelines.runs.live.events import StepFailed
from pipelines.stores.store import Store

_EXIT_CODE = re.compile(r"(?:non-zero status of|exit(?:ed)?(?: with)?(?: status| code)?) (\d+)")
_KILLED = (137, 143)
_NO_IMAGE = re.compile(r"pull|image.*(?:not found|does not exist)", re.IGNORECASE)


def folders_of(
    graph: Graph, root: Store, seen: Callable[[], PipelineJob]
) -> Callable[[str], str | None]:
    """Return what says where the artifacts of a step lie below the pipeline root.

    The API names the address of every output, also of those that were taken from an earlier job.

    Args:
        graph: What the job carries out.
        root: The pipeline root.
        seen: Returns the job as it was seen last.
    """

    def folder(name: str) -> str | None:
        task = seen().tasks.get(name)
        uri = task.outputs.get(layout_of_step(graph.by_name[name]).name) if task else None
        if uri is None:
            return None
        found = folder_of(uri.removeprefix(f"{root.uri}/"))
        if not uri.startswith(f"{root.uri}/") or not found:
            raise UserError(
                f"{name} of the job {seen().identifier} says that its result lies at {uri}, which "
                f"is not where they are written, in {root.uri}",
                "run the configuration again, with cache: false under kubeflow",
            )
        return found

    return folder


def failures(
    job: PipelineJob, graph: Graph, place: VertexPlace, done: Collection[str]
) -> Iterator[StepFailed]:
    """Yield what failed in a job that did; at least one failure, so that a step is named."""
    named = False
    for step in graph.ordered:
        task = job.tasks.get(step.name)
        if task and task.state == "FAILED" and step.name not in done:
            named = True
            yield _failure(step, task, job, place)
    if not named:
        first = next(step.name for step in graph.ordered if step.name not in done)
        yield StepFailed(
            first,
            f"{first}: was not reached: {job.error or 'the job failed before, and says no more'}",
            f"look at the job: {place.page_of(job.identifier)}",
            user_fault=True,
            record="",
        )


def _failure(step: Step, task: JobTask, job: PipelineJob, place: VertexPlace) -> StepFailed:
    said = task.error or job.error or "Vertex AI says no more"
    found = _EXIT_CODE.search(said)
    code = int(found[1]) if found else None
    what, fix, user_fault = f"failed: {said}", _log(task, job, place), True
    if code == USER_FAULT:
        what = f"refused what it was given; its log says what and what to do ({said})"
    elif code in _KILLED:
        what = f"was killed: it took too much memory or ran too long ({said})"
        fix = f"raise memory_gb of {step.component} in kubeflow.resources"
    elif code is not None:
        what, user_fault = (
            f"ended with a bug of slimline; its log has the traceback ({said})",
            False,
        )
    elif _NO_IMAGE.search(said):
        what = f"its image cannot be pulled ({said})"
        fix = (
            "slimline images push REGION-docker.pkg.dev/PROJECT/REPOSITORY, where the service "
            "account may read (roles/artifactregistry.reader)"
        )
    return StepFailed(step.name, f"{step.name}: {what}", fix, user_fault, "")


def _log(task: JobTask, job: PipelineJob, place: VertexPlace) -> str:
    if not task.custom_job:
        return f"look at the job: {place.page_of(job.identifier)}"
    wanted = f'resource.type="ml_job" AND resource.labels.job_id="{task.custom_job}"'
    return f"read its log: gcloud logging read '{wanted}' --project {place.project}"
