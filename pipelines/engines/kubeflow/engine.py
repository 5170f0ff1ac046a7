"""The kubeflow engine: the whole graph is submitted at once, and what it makes is imported.

Which steps run, where and whether at all is the cluster's to decide; this machine looks on.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from pipelines.engines.engine import Cluster
from pipelines.engines.kubeflow import submitting
from pipelines.engines.kubeflow.connection import Connection
from pipelines.engines.kubeflow.preflight import Reachable
from pipelines.engines.kubeflow.preparing import prepare
from pipelines.engines.kubeflow.result_importer import ENGINE, ResultImporter
from pipelines.engines.kubeflow.watching import Watcher
from pipelines.runs.cache import Cache
from pipelines.runs.events import StepEvent, StepSkipped
from pipelines.runs.graph import Graph
from pipelines.sources.snapshot import Snapshot


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
        auth = cluster.auth or reachable.settings.auth
        self._connection = Connection(cluster.host, cluster.namespace, auth=auth)
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
        watcher = Watcher(
            self._connection,
            graph,
            kfp_run,
            importer,
            interrupted=self._interrupted,
            cancel_on_interrupt=self._cluster.cancel_on_interrupt,
        )
        try:
            for event in watcher.watch():
                self.still_running = watcher.outcome == "running"
                yield event
        finally:
            self.still_running = watcher.outcome == "running"
