"""Compiling parts: some steps of a graph, with importers of what the others made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from components.contract.errors import UserError
from components.contract.types import ImageName
from pipelines.engines.kubeflow.ir import limits
from pipelines.engines.kubeflow.ir.compiling import Compiled, compiled, needed_artifacts
from pipelines.engines.kubeflow.ir.gathered import Gathered, to_gather
from pipelines.engines.kubeflow.ir.importers import Imported
from pipelines.engines.kubeflow.ir.preflight import Reachable
from pipelines.engines.kubeflow.ir.servers import ServerVersion
from pipelines.engines.kubeflow.launching.parts import by_variant, divided
from pipelines.engines.kubeflow.launching.planning import ReusePlan
from pipelines.engines.kubeflow.results.gathering import gathered_key
from pipelines.engines.kubeflow.results.known_results import KnownResult
from pipelines.runs.graph import Ref

_SOMEWHERE = "00000000-0000-0000-0000-000000000000"
"""In the place of identifiers that nobody knows before a run is there; as long as they are."""


class PartCompiler:
    """Compiles parts of a graph, and divides it into those that a server can hold.

    Args:
        reachable: What runs: the whole graph.
        sources: Digest of every source.
        images: The name with digest that pods pull every image by.
        root: Address of the pipeline root.
        version: Of the server; None where it is not known.
    """

    def __init__(
        self,
        reachable: Reachable,
        sources: Mapping[str, str],
        images: Mapping[ImageName, str],
        root: str,
        version: ServerVersion | None,
    ) -> None:
        self._reachable = reachable
        self._sources = sources
        self._images = images
        self._root = root
        self._version = version

    def parts(self, plan: ReusePlan) -> list[tuple[str, ...]]:
        """Return the steps that have to run, by the run of Kubeflow that they are part of.

        Args:
            plan: What is known by now.

        Raises:
            UserError: A single step is larger than the cluster can hold.
        """
        graph = self._reachable.graph
        missing = plan.missing(graph, self._sources)
        return divided(by_variant(graph, missing), lambda only: self._why_not(plan, only))

    def _why_not(self, plan: ReusePlan, only: Sequence[str]) -> UserError | None:
        """Return why the server cannot hold a run of these steps, or None where it can."""
        return limits.fault(
            self.compiled(plan, only),
            self._version,
            workflow_bytes=self._reachable.settings.workflow_bytes,
        )

    def compiled(self, plan: ReusePlan, only: Sequence[str]) -> Compiled:
        """Return the pipeline of some steps.

        Args:
            plan: What is known of the others; what is not there yet has an address of that length.
            only: Names of the steps.
        """
        graph = self._reachable.graph
        imported = {
            artifact: self._imported(artifact, plan.known.get(artifact.step))
            for artifact in needed_artifacts(graph, only)
        }
        return compiled(
            self._reachable,
            self._sources,
            self._images,
            only=only,
            imported=imported,
            cache_keys=self._version is None or self._version.cache_key,
            uncached=self._uncached(plan),
            gathered={
                name: Gathered(f"{self._root}/{gathered_key(refs, plan.known)}", frozenset(refs))
                for name, refs in to_gather(graph, only).items()
            },
        )

    def _uncached(self, plan: ReusePlan) -> set[str]:
        """Return the steps whose bytes are gone, and what was made of them, if it runs as well."""
        gone = set(plan.lost)
        for step in self._reachable.graph.ordered:
            if any(ref.step in gone for ref in step.refs):
                gone.add(step.name)
        return gone

    def _imported(self, artifact: Ref, found: KnownResult | None) -> Imported:
        """Return where an artifact lies; of what is not there yet, an address of that length."""
        if found and found.folder:
            uri = f"{self._root}/{found.folder}/{artifact.output}"
            return Imported(uri, found.metadata.get(artifact.output, {}))
        run = f"{self._root}/{self._reachable.graph.name}/{_SOMEWHERE}"
        return Imported(f"{run}/{artifact.step}/{_SOMEWHERE}/{artifact.output}")
