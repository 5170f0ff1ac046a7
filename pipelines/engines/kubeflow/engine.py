"""The kubeflow engine: what no earlier run made is submitted, and what it makes is imported.

Where steps run is the cluster's to decide; this machine says which, looks on, and starts the next
part where one run of Kubeflow cannot hold them all.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator, Iterator, Mapping
from functools import cached_property
from pathlib import Path

from components.contract.types import ImageName
from pipelines.config.secrets import refuse_secrets
from pipelines.engines.engine import Cluster
from pipelines.engines.kubeflow.api.connection import Connection
from pipelines.engines.kubeflow.bucket.image_digests import images_of, references
from pipelines.engines.kubeflow.bucket.pipeline_root import open_root
from pipelines.engines.kubeflow.bucket.versions import PipelineVersion
from pipelines.engines.kubeflow.ir.preflight import Reachable
from pipelines.engines.kubeflow.launching import planning
from pipelines.engines.kubeflow.launching.fitting import version_of
from pipelines.engines.kubeflow.launching.launch_record import LaunchPart, LaunchRecord, read_launch
from pipelines.engines.kubeflow.launching.planning import ReusePlan
from pipelines.engines.kubeflow.launching.preparing import stage_sources
from pipelines.engines.kubeflow.launching.submission import Submission
from pipelines.engines.kubeflow.results.earlier import EarlierResults
from pipelines.engines.kubeflow.results.result_importer import ENGINE, ResultImporter
from pipelines.engines.kubeflow.watching.going_on import made_by
from pipelines.engines.kubeflow.watching.left_runs import left_run
from pipelines.engines.kubeflow.watching.status import Outcome
from pipelines.engines.kubeflow.watching.watcher import Watcher
from pipelines.runs.cache import Cache
from pipelines.runs.graph import Graph
from pipelines.runs.live.events import StepDone, StepEvent, StepFailed, StepSkipped
from pipelines.sources.snapshot import Snapshot
from pipelines.stores.bucket import BucketStore
from pipelines.stores.store import Store


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
        self._cancel_on_interrupt = cluster.cancel_on_interrupt
        auth = cluster.auth or reachable.settings.auth
        self._connection = Connection(cluster.host, cluster.namespace, auth=auth)
        self._interrupted = threading.Event()
        self.page: str | None = None
        self.detached = True
        self.still_running = False

    def cancel(self, *, for_good: bool = False) -> None:
        """Stop looking on; the run goes on unless it is to end for good, or with this process."""
        self._cancel_on_interrupt |= for_good
        self._interrupted.set()

    def left(self, graph: Graph, sources: Mapping[str, Snapshot]) -> str | None:
        """See ``Engine``.

        Raises:
            UserError: The pipeline root or the cluster cannot be reached.
        """
        if not self._reachable.settings.cache:  # whoever wants everything anew gets it
            return None
        root = open_root(self._reachable.settings.pipeline_root)
        wanted = self._wanted("", sources, ReusePlan())
        return left_run(self._cache.store, root, self._connection, wanted, graph.name)

    def submit(
        self, graph: Graph, sources: Mapping[str, Snapshot], run: str
    ) -> Iterator[StepEvent]:
        """See ``Engine``. A step is done when its results are imported.

        Raises:
            UserError: The cluster refuses the run, or what it made is not what it says.
        """
        assert graph == self._reachable.graph
        refuse_secrets(self._reachable.config)
        root = open_root(self._reachable.settings.pipeline_root)
        version_of(self._connection)  # warns where something is not known to work
        record = read_launch(root, run) or self._wanted(run, sources, self._plan(root, sources))
        submission = Submission(
            self._connection, root, self._reachable, record, self._cache, self._work
        )
        told: set[str] = set()
        for event in self._carried_out(root, submission, record, sources):
            if isinstance(event, StepDone | StepFailed | StepSkipped):
                told.add(event.step)
            yield event
        if not self.still_running:
            yield from (StepSkipped(step.name) for step in graph.ordered if step.name not in told)

    def _carried_out(
        self,
        root: BucketStore,
        submission: Submission,
        record: LaunchRecord,
        sources: Mapping[str, Snapshot],
    ) -> Iterator[StepEvent]:
        """Start one part after the other and look on, until every step has its result."""
        plan, number = record.plan, 0
        told: set[str] = set()
        yield from self._settled(plan, record, told)
        started = deque(submission.started())
        while True:
            if started:
                part, version = started.popleft()
            elif (coming := submission.next(plan, number + 1)) is None:
                return
            elif self._interrupted.is_set():
                self.still_running = number > 0 and not self._cancel_on_interrupt
                return
            else:
                if number == 0:
                    stage_sources(sources, coming.compiled.sources, self._work)
                    record.put(root)
                plan = coming.plan
                part, version = submission.start(coming)
            number = part.number
            importer = ResultImporter(
                root, version, part.kfp_run, record.run, self._cache, self._work
            )
            outcome = yield from self._watched(part, version, importer)
            if outcome != "done":
                return
            told |= importer.done.keys()
            plan = plan.with_results(made_by(importer, self._cache, root))
            yield from self._settled(plan, record, told)

    def _watched(
        self, part: LaunchPart, version: PipelineVersion, importer: ResultImporter
    ) -> Generator[StepEvent, None, Outcome]:
        """Look on while the cluster carries out one part, and return how that ended."""
        self.page = self._connection.page_of(part.kfp_run)
        self.still_running = True
        watcher = Watcher(
            self._connection,
            version.part,
            part.kfp_run,
            importer,
            interrupted=self._interrupted,
            cancel_on_interrupt=lambda: self._cancel_on_interrupt,
        )
        try:
            for event in watcher.watch():
                self.still_running = watcher.outcome == "running"
                yield event
        finally:
            self.still_running = watcher.outcome == "running"
        return watcher.outcome

    def _settled(self, plan: ReusePlan, record: LaunchRecord, told: set[str]) -> Iterator[StepDone]:
        """Tell of the results of earlier runs that nothing which is still to run can change."""
        for name in plan.settled(self._reachable.graph, record.sources):
            if name not in told:
                told.add(name)
                one = plan.known[name]
                yield StepDone(
                    name, one.key, one.outputs, one.record,
                    cached=True, function_s=one.function_s, wall_s=0.0,
                )  # fmt: skip

    def _plan(self, root: Store, sources: Mapping[str, Snapshot]) -> ReusePlan:
        """Find out what earlier runs made."""
        reachable = self._reachable
        if not reachable.settings.cache:
            return ReusePlan()
        earlier = EarlierResults(
            self._cache,
            reachable.graph.name,
            root.uri,
            reachable.settings,
            self._images,
            reachable.devices,
        )
        digests = {name: source.digest for name, source in sources.items()}
        return planning.plan(reachable.graph, digests, earlier, self._cache, root)

    @cached_property
    def _images(self) -> Mapping[ImageName, str]:
        return references(self._reachable.settings, images_of(self._reachable.graph))

    def _wanted(self, run: str, sources: Mapping[str, Snapshot], plan: ReusePlan) -> LaunchRecord:
        return LaunchRecord(
            run=run,
            config=self._reachable.config.to_plain(),
            graph=self._reachable.graph.digest,
            sources={name: source.digest for name, source in sources.items()},
            images=self._images,
            server=self._connection.tag or None,
            plan=plan,
            devices=self._reachable.devices,
        )
