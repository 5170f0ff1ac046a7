"""A pipeline job as the API of Vertex AI tells of it, in the words of the graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

FINAL = ("SUCCEEDED", "FAILED", "CANCELLED")
"""States of a job that nothing follows."""

LABEL = "slimline"
"""The label of jobs of slimline; its value is the name of the pipeline version."""

_JOB_STATE = "PIPELINE_STATE_"


@dataclass(frozen=True)
class JobTask:
    """A task of a job.

    Attributes:
        state: Such as ``RUNNING``; ``SKIPPED`` where the result was taken from an earlier job.
        wall_s: How long it took; None before its end.
        error: What it failed with; empty where it did not.
        custom_job: Identifier of the job that ran its container; empty where there was none.
        outputs: By output the address of the artifact.
    """

    state: str
    wall_s: float | None
    error: str
    custom_job: str
    outputs: Mapping[str, str]


@dataclass(frozen=True)
class PipelineJob:
    """A job.

    Attributes:
        identifier: Unique in its project and region; a launch's own where slimline launched it.
        state: Such as ``RUNNING``.
        created: When it was created.
        ended: When it ended; None before.
        error: What it failed with; empty where it did not.
        version: Name of the pipeline version; empty where it is none of slimline's.
        root: The pipeline root.
        tasks: By name; none in a listing.
        scheduled: Whether a schedule of Vertex AI made it.
    """

    identifier: str
    state: str
    created: datetime
    ended: datetime | None
    error: str
    version: str
    root: str
    tasks: Mapping[str, JobTask]
    scheduled: bool

    @property
    def outcome(self) -> Literal["running", "done", "failed", "cancelled"]:
        """How it is."""
        match self.state:
            case "SUCCEEDED":
                return "done"
            case "FAILED":
                return "failed"
            case "CANCELLED":
                return "cancelled"
            case _:
                return "running"

    @classmethod
    def of(cls, message: Any) -> PipelineJob:
        """Read a message of the API.

        Raises:
            LookupError: It has not what every job has.
            ValueError: A time is none.
        """
        details: list[Any] = _part(message, "jobDetail").get("taskDetails") or []
        return cls(
            identifier=message["name"].rpartition("/")[2],
            state=message["state"].removeprefix(_JOB_STATE),
            created=_moment(message["createTime"]),
            ended=_moment(message["endTime"]) if message.get("endTime") else None,
            error=_error(message),
            version=_part(message, "labels").get(LABEL, ""),
            root=message["pipelineSpec"]["defaultPipelineRoot"].rstrip("/"),
            tasks={detail["taskName"]: _task(detail) for detail in details},
            scheduled=bool(message.get("scheduleName")),
        )


def _part(message: Any, name: str) -> Any:
    """Return a message inside of another; what was never set is left out of JSON."""
    return message.get(name) or {}


def _task(detail: Any) -> JobTask:
    container = _part(_part(detail, "executorDetail"), "containerDetail")
    jobs: list[str] = [*container.get("failedMainJobs", ()), container.get("mainJob", "")]
    made: dict[str, Any] = _part(detail, "outputs")
    outputs: dict[str, str] = {
        name: one["artifacts"][0]["uri"] for name, one in made.items() if one.get("artifacts")
    }
    begun, ended = detail.get("startTime"), detail.get("endTime")
    wall_s = (_moment(ended) - _moment(begun)).total_seconds() if begun and ended else None
    return JobTask(
        state=detail.get("state", ""),
        wall_s=wall_s,
        error=_error(detail),
        custom_job=next((job for job in reversed(jobs) if job), "").rpartition("/")[2],
        outputs=outputs,
    )


def _error(message: Any) -> str:
    return " ".join(str(_part(message, "error").get("message") or "").split())


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
