"""Submission: which run of Kubeflow comes next for a launch, and starting it.

Nothing is remembered here: what comes next follows from the launch record and from what is known of
its steps by now. Whoever asks, the process that launched or one that goes on with it, submits the
same parts under the same names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from components.contract.errors import UserError
from pipelines.engines.kubeflow import preparing, submitting
from pipelines.engines.kubeflow.connection import Connection
from pipelines.engines.kubeflow.earlier import Earlier
from pipelines.engines.kubeflow.gathering import gather, gathered_key
from pipelines.engines.kubeflow.ir import limits, workspaces
from pipelines.engines.kubeflow.ir.compiling import Compiled, compiled, needed_artifacts
from pipelines.engines.kubeflow.ir.gathered import Gathered, to_gather
from pipelines.engines.kubeflow.ir.importers import Imported
from pipelines.engines.kubeflow.ir.servers import parsed
from pipelines.engines.kubeflow.launch_record import (
    LaunchPart,
    LaunchRecord,
    part_name,
    parts_of,
    put_part,
)
from pipelines.engines.kubeflow.parts import by_variant, divided
from pipelines.engines.kubeflow.planning import ReusePlan
from pipelines.engines.kubeflow.preflight import Reachable
from pipelines.engines.kubeflow.uploading import upload
from pipelines.engines.kubeflow.versions import PipelineVersion
from pipelines.runs.cache import Cache
from pipelines.runs.graph import Ref
from pipelines.stores.bucket import BucketStore

_SOMEWHERE = "00000000-0000-0000-0000-000000000000"
"""In the place of identifiers that nobody knows before a run is there; as long as they are."""


@dataclass(frozen=True)
class Next:
    """The part of a launch that comes next.

    Attributes:
        plan: What is known, with the places of what was uploaded for this part.
        only: Names of the steps that it runs.
        number: Its place, from 1.
        parts: How many there are, as far as can be told.
        compiled: What is submitted.
    """

    plan: ReusePlan
    only: tuple[str, ...]
    number: int
    parts: int
    compiled: Compiled


class Submission:
    """Starts the runs of Kubeflow that a launch needs.

    Args:
        connection: The API server; None for who starts nothing.
        root: The pipeline root.
        reachable: What runs.
        record: What the launch has decided.
        cache: The store, which has what is to be uploaded.
        scratch: A folder of this machine for what is on its way.
    """

    def __init__(
        self,
        connection: Connection | None,
        root: BucketStore,
        reachable: Reachable,
        record: LaunchRecord,
        cache: Cache,
        scratch: Path,
    ) -> None:
        self._connection = connection
        self._root = root
        self._reachable = reachable
        self._record = record
        self._cache = cache
        self._scratch = scratch
        self._version = parsed(record.server)

    def started(self) -> list[tuple[LaunchPart, PipelineVersion]]:
        """Return the parts that were started, in their order.

        Raises:
            UserError: What is written of one is gone or damaged.
        """
        parts = parts_of(self._root, self._record.run)
        return [(part, PipelineVersion.get(self._root, part.version)) for part in parts]

    def parts(self, plan: ReusePlan) -> list[tuple[str, ...]]:
        """Return the steps that have to run, by the run of Kubeflow that they are part of.

        Args:
            plan: What is known by now.

        Raises:
            UserError: A single step is larger than the cluster can hold.
        """
        graph = self._reachable.graph
        missing = plan.missing(graph, self._record.sources)
        return divided(by_variant(graph, missing), lambda only: self._why_not(plan, only))

    def next(self, plan: ReusePlan, number: int) -> Next | None:
        """Return the part that comes next, or None where every step has its result.

        Args:
            plan: What is known by now.
            number: Its place, from 1.

        Raises:
            UserError: A single step is larger than the cluster can hold.
        """
        graph = self._reachable.graph
        parts = self.parts(plan)
        if not parts:
            return None
        plan = self._with_uploads(plan, parts[0])
        for refs in to_gather(graph, parts[0]).values():
            gather(self._root, self._cache, graph, refs, plan.known)
        made = self._compiled(plan, parts[0])
        limits.check_names(made.spec["root"]["dag"]["tasks"], self._version)
        return Next(plan, parts[0], number, number - 1 + len(parts), made)

    def start(self, coming: Next) -> tuple[LaunchPart, PipelineVersion]:
        """Start a part, once: one of the same launch and number that was started is taken.

        Raises:
            UserError: The cluster refuses it.
        """
        record, graph = self._record, self._reachable.graph
        assert self._connection, "somebody starts a part without a server"
        workspaces.check(self._reachable.settings, self._version)
        prepared = preparing.put_version(
            self._connection,
            self._root,
            self._reachable,
            record.sources,
            record.images,
            coming.compiled,
            only=coming.only,
            folders={
                name: one.folder
                for name, one in coming.plan.known.items()
                if one.folder and name not in coming.only
            },
        )
        name = part_name(record.run, coming.number, coming.parts)
        kfp_run = submitting.submit(self._connection, prepared.uploaded, name)
        part = LaunchPart(coming.number, kfp_run, prepared.version.name)
        put_part(self._root, record.run, part)
        assert prepared.version.graph.digest == graph.digest
        return part, prepared.version

    def _why_not(self, plan: ReusePlan, only: Sequence[str]) -> UserError | None:
        """Return why the server cannot hold a run of these steps, or None where it can."""
        return limits.fault(
            self._compiled(plan, only),
            self._version,
            workflow_bytes=self._reachable.settings.workflow_bytes,
        )

    def _compiled(self, plan: ReusePlan, only: Sequence[str]) -> Compiled:
        record, graph = self._record, self._reachable.graph
        imported = {
            artifact: self._imported(artifact, plan.known.get(artifact.step))
            for artifact in needed_artifacts(graph, only)
        }
        return compiled(
            self._reachable,
            record.sources,
            record.images,
            only=only,
            imported=imported,
            cache_keys=self._version is None or self._version.cache_key,
            uncached=self._uncached(plan),
            gathered={
                name: Gathered(
                    f"{self._root.uri}/{gathered_key(refs, plan.known)}", frozenset(refs)
                )
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

    def _imported(self, artifact: Ref, found: Earlier | None) -> Imported:
        """Return where an artifact lies; of what is not there yet, an address of that length."""
        if found and found.folder:
            uri = f"{self._root.uri}/{found.folder}/{artifact.output}"
            return Imported(uri, found.metadata.get(artifact.output, {}))
        run = f"{self._root.uri}/{self._reachable.graph.name}/{_SOMEWHERE}"
        return Imported(f"{run}/{artifact.step}/{_SOMEWHERE}/{artifact.output}")

    def _with_uploads(self, plan: ReusePlan, only: Sequence[str]) -> ReusePlan:
        """Upload what these steps read and no bucket has."""
        graph = self._reachable.graph
        needed = dict.fromkeys(ref.step for ref in needed_artifacts(graph, only))
        placed: dict[str, Earlier] = {}
        for name in needed:
            if (found := plan.known.get(name)) and found.folder is None:
                known: Mapping[str, Earlier] = {**plan.known, **placed}
                placed[name] = upload(self._root, self._cache, graph, name, known, self._scratch)
        return plan.with_results(placed) if placed else plan
