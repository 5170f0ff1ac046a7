"""The vertex engine: the whole graph is one pipeline job, and what it makes is imported."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from components.contract.errors import UserError
from pipelines.engines.engine import Cluster
from pipelines.engines.kubeflow.ir.preflight import Reachable
from pipelines.engines.kubeflow.results.result_importer import ResultImporter
from pipelines.engines.vertex.jobs import PipelineJobs
from pipelines.engines.vertex.pipeline_job import PipelineJob
from pipelines.engines.vertex.place import place_of
from pipelines.engines.vertex.preparing import prepare
from pipelines.engines.vertex.results import failures, folders_of
from pipelines.runs.cache import Cache
from pipelines.runs.graph import Graph, Step
from pipelines.runs.live.events import StepEvent, StepSkipped, StepStarted
from pipelines.sources.snapshot import Snapshot

ENGINE = "vertex"

POLL_S, POLL_MAX_S = 2.0, 20.0
"""The first wait between two questions how the job is, and the longest: tasks take minutes."""

_BEGUN = ("RUNNING", "SUCCEEDED", "FAILED")
_MADE = ("SUCCEEDED", "SKIPPED")


class VertexEngine:
    """The ``Engine`` of Vertex AI.

    Args:
        reachable: What ``submit`` will be given the graph of.
        cache: Where results are imported into.
        work: A folder of this run's own on this machine.
        cluster: Where, and what an interruption means there.

    Raises:
        UserError: Nothing says where, or there are no credentials.
    """

    name = ENGINE

    def __init__(self, reachable: Reachable, cache: Cache, work: Path, cluster: Cluster) -> None:
        self._reachable = reachable
        self._cache = cache
        self._work = work
        self._cancel_on_interrupt = cluster.cancel_on_interrupt
        self.place = place_of(
            cluster.project, cluster.location, cluster.host, reachable.settings.vertex
        )
        self._jobs = PipelineJobs(self.place)
        self._interrupted = threading.Event()
        self.page: str | None = None
        self.detached = True
        self.still_running = False

    def left(self, graph: Graph, sources: Mapping[str, Snapshot]) -> str | None:  # noqa: ARG002
        """See ``Engine``: a job that nobody watches any more is imported by ``slimline sync``."""
        return None

    def cancel(self, *, for_good: bool = False) -> None:
        """Stop looking on; the job goes on unless it is to end for good, or with this process."""
        self._cancel_on_interrupt |= for_good
        self._interrupted.set()

    def submit(
        self, graph: Graph, sources: Mapping[str, Snapshot], run: str
    ) -> Iterator[StepEvent]:
        """See ``Engine``. A step is done when its results are imported.

        Raises:
            UserError: Vertex AI refuses the job, or what it made is not what it says.
        """
        assert graph == self._reachable.graph
        staged = prepare(self._reachable, sources, self._work)
        if self._interrupted.is_set():
            yield from (StepSkipped(step.name) for step in graph.ordered)
            return
        self._jobs.create(run, {"displayName": run, **staged.job})
        self.still_running = True
        self.page = self.place.page_of(run)
        seen = self._look(run)
        importer = ResultImporter(
            staged.root, staged.version, run, run, self._cache, self._work,
            folders=folders_of(graph, staged.root, lambda: seen), engine=ENGINE,
        )  # fmt: skip
        started: set[str] = set()
        wait_s, cancelled = POLL_S, False
        while seen.outcome == "running":
            yield from _progress(graph, seen, importer, started, self.page)
            if cancelled:
                time.sleep(wait_s)
            elif self._interrupted.wait(wait_s):
                if not self._cancel_on_interrupt:
                    return
                self._jobs.cancel(run)
                cancelled = True
            wait_s = min(1.2 * wait_s, POLL_MAX_S)
            seen = self._look(run)
        yield from importer.import_all(complete=seen.outcome == "done")
        self.still_running = False
        told = set(importer.done)
        if seen.outcome == "failed":
            for failure in failures(seen, graph, self.place, told):
                told.add(failure.step)
                yield failure
        for step in graph.ordered:
            if step.name not in told:
                yield StepSkipped(step.name, cancelled=_ended(seen, step))

    def _look(self, run: str) -> PipelineJob:
        """Ask how the job is."""
        try:
            return self._jobs.get(run)
        except LookupError:
            self.still_running = False
            raise UserError(
                f"{self.place.host} has no job {run} any more: somebody deleted it while it was "
                "watched",
                "run again: what its steps have made is still in the pipeline root, and Vertex AI "
                "takes it from there",
            ) from None
        except UserError as error:
            raise UserError(
                f"{error.what}; the job goes on: {self.page}",
                f"{error.fix}; when it has ended: slimline sync {self.place.options}",
            ) from error


def _progress(
    graph: Graph, seen: PipelineJob, importer: ResultImporter, started: set[str], page: str
) -> Iterator[StepEvent]:
    """Tell what has begun, and import what is there."""
    for step in graph.ordered:
        task = seen.tasks.get(step.name)
        if task is None or step.name in importer.done:
            continue
        if task.state in _BEGUN and step.name not in started:
            started.add(step.name)
            yield StepStarted(step.name, page)
        if task.state in _MADE and importer.find(step) is not None:
            yield from importer.import_inputs(step)
            yield importer.import_step(step, task.wall_s)


def _ended(seen: PipelineJob, step: Step) -> bool:
    """Whether a step was ended while it ran."""
    task = seen.tasks.get(step.name)
    return task is not None and task.state == "CANCELLED"
