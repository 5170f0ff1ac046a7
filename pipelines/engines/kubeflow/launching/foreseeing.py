"""Foreseeing: which steps a run would carry out on the cluster, before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.engines.kubeflow.bucket.pipeline_root import open_root
from pipelines.engines.kubeflow.ir.preflight import Reachable
from pipelines.engines.kubeflow.ir.servers import ServerVersion
from pipelines.engines.kubeflow.launching import fitting, planning
from pipelines.engines.kubeflow.launching.part_compiler import PartCompiler
from pipelines.engines.kubeflow.launching.planning import ReusePlan
from pipelines.engines.kubeflow.results.earlier import EarlierResults
from pipelines.runs.cache import Cache


@dataclass(frozen=True)
class Foresight:
    """What a run would do on the cluster.

    Attributes:
        plan: Which earlier results count.
        missing: The steps that would run, each after all that it needs.
        parts: In how many runs of Kubeflow, one after the other.
        uploaded: The steps whose results no bucket has and those would read.
    """

    plan: ReusePlan
    missing: tuple[str, ...]
    parts: int
    uploaded: tuple[str, ...]

    @property
    def text(self) -> str:
        """The same in words."""
        if not self.missing:
            return "on the cluster nothing would run: every result is there"
        told = f"on the cluster {len(self.missing)} steps would run: {', '.join(self.missing)}"
        if self.parts > 1:
            told += f"; in {self.parts} parts, as one run of Kubeflow cannot hold them"
        if self.uploaded:
            told += f"; what no bucket has is uploaded: {', '.join(self.uploaded)}"
        return told


def foresee(
    reachable: Reachable,
    sources: Mapping[str, str],
    cache: Cache,
    version: ServerVersion | None,
) -> Foresight:
    """Say which steps a run would carry out on the cluster.

    Args:
        reachable: What would run.
        sources: Digest of every source.
        cache: Of the store that knows earlier runs.
        version: Of the server; None where it is not known.

    Raises:
        UserError: The pipeline root cannot be reached, or a single step is too large.
    """
    graph, settings = reachable.graph, reachable.settings
    root = open_root(settings.pipeline_root)
    images = fitting.named(settings)
    plan = ReusePlan()
    if settings.cache:
        earlier = EarlierResults(cache, graph.name, root.uri, settings, images, reachable.devices)
        plan = planning.plan(graph, sources, earlier, cache, root, renew=False)
    parts = PartCompiler(reachable, sources, images, root.uri, version).parts(plan)
    missing = tuple(name for part in parts for name in part)
    read = {ref.step for name in missing for ref in graph.by_name[name].refs}
    uploaded = tuple(
        name for name, one in plan.known.items() if name in read and one.folder is None
    )
    return Foresight(plan, missing, len(parts), uploaded)
