"""The kubeflow engine: the whole graph is submitted at once, and what it makes is imported.

Which steps run, where and whether at all is the cluster's to decide; this machine looks on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from components.contract.errors import UserError
from pipelines.engines.engine import Cluster
from pipelines.engines.kubeflow import status, submitting
from pipelines.engines.kubeflow.connection import Connection, Resource
from pipelines.engines.kubeflow.preflight import Reachable
from pipelines.engines.kubeflow.preparing import prepare
from pipelines.engines.kubeflow.result_importer import ENGINE, ResultImporter
from pipelines.runs.cache import Cache
from pipelines.runs.events import StepEvent, StepFailed, StepSkipped, StepStarted
from pipelines.runs.graph import Graph, Step
from pipelines.sources.snapshot import Snapshot

_POLL_S, _POLL_MAX_S = 1.0, 10.0
"""The first wait between two questions how the run is, and the longest."""


class KubeflowEngine:
    """The ``Engine`` of a cluster.

    Args:
        reachable: What ``submit`` will be given the graph of.
        cache: Where results are imported into.
        work: A folder of this run's own on this machine.
        cluster: Where, and what an interruption means there.

    Raises:
        UserError: The cluster cannot be reached.
    """

    name = ENGINE

    def __init__(self, reachable: Reachable, cache: Cache, work: Path, cluster: Cluster) -> None:
        self._reachable = reachable
        self._cache = cache
        self._work = work
        self._cluster = cluster
        self._connection = Connection(cluster.host, cluster.namespace)
        self._interrupted = threading.Event()
        self.page: str | None = None
        self.detached = True
        self.still_running = False

    def cancel(self) -> None:
        """Stop looking on; the run goes on unless the user wants it to end with this process."""
        self._interrupted.set()

    def submit(
        self, graph: Graph, sources: Mapping[str, Snapshot], run: str
    ) -> Iterator[StepEvent]:
        """See ``Engine``. A step is done when its results are imported.

        Raises:
            UserError: The cluster refuses the run, or what it made is not what it says.
        """
        assert graph == self._reachable.graph
        prepared = prepare(self._connection, self._reachable, sources, self._work)
        if self._interrupted.is_set():
            yield from (StepSkipped(step.name) for step in graph.ordered)
            return
        kfp_run = submitting.submit(self._connection, prepared.uploaded, run)
        self.still_running = True
        self.page = self._connection.page_of(kfp_run)
        importer = ResultImporter(
            prepared.root, prepared.version, kfp_run, run, self._cache, self._work
        )
        seen = self._look(kfp_run)
        started: set[str] = set()
        wait_s = _POLL_S
        terminated = False
        while seen.state not in status.FINAL:
            yield from self._progress(graph, seen, importer, started)
            if terminated:
                time.sleep(wait_s)
            elif self._interrupted.wait(wait_s):
                if not self._cluster.cancel_on_interrupt:
                    return
                submitting.terminate(self._connection, kfp_run)
                terminated = True
            wait_s = min(1.2 * wait_s, _POLL_MAX_S)
            seen = self._look(kfp_run)
        yield from self._end(graph, seen, importer)

    def _look(self, kfp_run: str) -> Resource:
        """Ask how the run is."""
        try:
            return self._connection.ask(self._connection.runs.run_service_get_run, kfp_run)
        except UserError as error:
            raise UserError(
                f"{error.what}; the run goes on in the cluster: {self.page}",
                f"{error.fix}; when it has ended: slimline sync --engine kubeflow --host "
                f"{self._connection.host}",
            ) from error

    def _progress(
        self, graph: Graph, seen: Resource, importer: ResultImporter, started: set[str]
    ) -> Iterator[StepEvent]:
        """Tell what has begun, and import what was executed to its end."""
        states, cached = status.states(seen), status.cached(seen)
        for step in graph.ordered:
            state = states.get(step.name)
            if state is None or step.name in importer.done or step.name in cached:
                continue
            if step.name not in started:
                started.add(step.name)
                yield StepStarted(step.name, self.page or "")
            if state == "SUCCEEDED" and importer.find(step) is not None:
                yield importer.import_step(step, status.wall_s(seen, step.name))

    def _end(self, graph: Graph, seen: Resource, importer: ResultImporter) -> Iterator[StepEvent]:
        imported = importer.import_all(complete=seen.state == "SUCCEEDED")
        self.still_running = False
        yield from imported
        states = status.states(seen)
        for step in graph.ordered:
            if step.name in importer.done:
                continue
            if states.get(step.name) == "FAILED":
                yield self._failed(seen, step)
            else:
                yield StepSkipped(step.name)

    def _failed(self, seen: Resource, step: Step) -> StepFailed:
        what, fix, user_fault = status.failure(seen, step.name, self.page or "")
        return StepFailed(step.name, what, fix, user_fault, "")
