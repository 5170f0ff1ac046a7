"""Carries out jobs of Vertex AI by laying out what a local run made, as the service lays it."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from pipelines.engines.kubeflow.ir.result_layout import layout_of_step
from tests.servers.kfp.cluster import ROOT, Cluster
from tests.servers.vertex.server import NUMBER, Json, VertexServer, _now


@dataclass
class VertexCluster(Cluster):
    """The same as ``Cluster`` for jobs; ``vertex`` tells of them in place of ``kfp``."""

    vertex: VertexServer = field(default_factory=VertexServer)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._numbers = itertools.count(4_611_686_018_427_387_904)

    def folder(self, run: str, step: str) -> str:
        """Return a new folder: ``<output directory>/<project number>/<job>/<task>_<task id>``."""
        directory = self.vertex.jobs[run]["runtimeConfig"]["gcsOutputDirectory"]
        assert directory.startswith(ROOT)
        return f"{directory}/{NUMBER}/{run}/{step}_-{next(self._numbers)}"

    def advance(
        self, run: str, *, cached_from: str | None = None, uncached: Collection[str] = ()
    ) -> bool:
        """Take the next step of a job; True when there was one."""
        job = self.vertex.jobs[run]
        if job["state"] == "PIPELINE_STATE_CANCELLING":
            self._end(job, "CANCELLED", "The PipelineJob was cancelled.")
        if job["state"] == "PIPELINE_STATE_PENDING":
            job |= {"state": "PIPELINE_STATE_RUNNING", "startTime": _now()}
            return True
        if job["state"] != "PIPELINE_STATE_RUNNING":
            return False
        for step in self.graph.ordered:
            if (run, step.name) in self.places:
                continue
            fresh = any(f"/{run}/" in self.places[run, ref.step] for ref in step.refs)
            always = not step.interface.cached_by_name
            if cached_from and not (always or fresh or step.name in uncached):
                self.places[run, step.name] = self.places[cached_from, step.name]
                self._tell(job, step.name, "SKIPPED")
                return True
            self.execute(run, step.name)
            self._tell(job, step.name, "SUCCEEDED")
            return True
        self._end(job, "SUCCEEDED")
        return False

    def fail_job(self, run: str, step: str, message: str, custom_job: str = "77") -> None:
        """Carry a job out to a step that fails."""
        job = self.vertex.jobs[run]
        job["state"] = "PIPELINE_STATE_RUNNING"
        for before in self.graph.ordered:
            if before.name == step:
                break
            if (run, before.name) not in self.places:
                self.execute(run, before.name)
                self._tell(job, before.name, "SUCCEEDED")
        parent = job["name"].partition("/pipelineJobs/")[0]
        self._tell(
            job, step, "FAILED", error={"code": 9, "message": message},
            executorDetail={"containerDetail": {"mainJob": f"{parent}/customJobs/{custom_job}"}},
        )  # fmt: skip
        self._end(job, "FAILED", "The DAG failed because some tasks failed.")

    def _tell(self, job: Json, step: str, state: str, **more: Any) -> None:
        run = job["name"].rpartition("/")[2]
        place = self.places.get((run, step))
        name = layout_of_step(self.graph.by_name[step]).name
        outputs = {} if place is None else {name: {"artifacts": [{"uri": f"{place}/{name}"}]}}
        moment = _now()
        detail = {
            "taskId": str(next(self._numbers)), "taskName": step, "state": state,
            "createTime": moment, "startTime": moment, "endTime": moment, "outputs": outputs, **more,
        }  # fmt: skip
        details = job.setdefault("jobDetail", {}).setdefault("taskDetails", [])
        details.append(detail)

    def _end(self, job: Json, state: str, error: str = "") -> None:
        job |= {"state": f"PIPELINE_STATE_{state}", "endTime": _now()}
        if error:
            job["error"] = {"code": 9, "message": error}
