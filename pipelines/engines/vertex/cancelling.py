"""Cancelling: a pipeline job is ended, whoever watches it."""

from __future__ import annotations

from components.contract.errors import UserError
from pipelines.engines.vertex.jobs import PipelineJobs
from pipelines.runs.live.cancelling import RunEndedError


def end_job(jobs: PipelineJobs, run: str) -> None:
    """Have the job of a run end.

    Args:
        jobs: The jobs of a project.
        run: Identifier of the run, which is the job's.

    Raises:
        RunEndedError: It has ended there.
        UserError: There is no such job, or Vertex AI does not end it.
    """
    try:
        job = jobs.get(run)
    except LookupError:
        raise UserError(
            f"{jobs.place.host} has no job {run} in the project {jobs.place.project}",
            "name the place that it runs in: --project NAME, --location REGION",
        ) from None
    if job.outcome != "running":
        raise RunEndedError(
            f"the run {run} has ended there: {job.outcome}",
            f"slimline sync {jobs.place.options} imports what it made",
        )
    jobs.cancel(run)
