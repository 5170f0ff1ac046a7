"""Submission: which run of Kubeflow comes next for a launch, and starting it.

Nothing is remembered here: what comes next follows from the launch record and from what is known of
its steps by now. Whoever asks, the process that launched or one that goes on with it, submits the
same parts under the same names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.engines.kubeflow.api.connection import Connection
from pipelines.engines.kubeflow.bucket.versions import PipelineVersion
from pipelines.engines.kubeflow.ir import limits, workspaces
from pipelines.engines.kubeflow.ir.compiling import Compiled, needed_artifacts
from pipelines.engines.kubeflow.ir.gathered import to_gather
from pipelines.engines.kubeflow.ir.preflight import Reachable
from pipelines.engines.kubeflow.ir.servers import parsed
from pipelines.engines.kubeflow.launching import preparing, submitting
from pipelines.engines.kubeflow.launching.launch_record import (
    LaunchPart,
    LaunchRecord,
    part_name,
    parts_of,
    put_part,
)
from pipelines.engines.kubeflow.launching.part_compiler import PartCompiler
from pipelines.engines.kubeflow.launching.planning import ReusePlan
from pipelines.engines.kubeflow.results.gathering import gather
from pipelines.engines.kubeflow.results.known_results import KnownResult
from pipelines.engines.kubeflow.results.uploading import upload
from pipelines.runs.cache import Cache
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
        connection: The API server.
        root: The pipeline root.
        reachable: What runs.
        record: What the launch has decided.
        cache: The store, which has what is to be uploaded.
        scratch: A folder of this machine for what is on its way.
    """

    def __init__(
        self,
        connection: Connection,
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
        self._compiler = PartCompiler(
            reachable, record.sources, record.images, root.uri, self._version
        )

    def started(self) -> list[tuple[LaunchPart, PipelineVersion]]:
        """Return the parts that were started, in their order.

        Raises:
            UserError: What is written of one is gone or damaged.
        """
        parts = parts_of(self._root, self._record.run)
        return [(part, PipelineVersion.get(self._root, part.version)) for part in parts]

    def next(self, plan: ReusePlan, number: int) -> Next | None:
        """Return the part that comes next, or None where every step has its result.

        Args:
            plan: What is known by now.
            number: Its place, from 1.

        Raises:
            UserError: A single step is larger than the cluster can hold.
        """
        graph = self._reachable.graph
        parts = self._compiler.parts(plan)
        if not parts:
            return None
        plan = self._with_uploads(plan, parts[0])
        for refs in to_gather(graph, parts[0]).values():
            gather(self._root, self._cache, graph, refs, plan.known)
        made = self._compiler.compiled(plan, parts[0])
        limits.check_names(made.spec["root"]["dag"]["tasks"], self._version)
        return Next(plan, parts[0], number, number - 1 + len(parts), made)

    def start(self, coming: Next) -> tuple[LaunchPart, PipelineVersion]:
        """Start a part, once: one of the same launch and number that was started is taken.

        Raises:
            UserError: The cluster refuses it.
        """
        record, graph = self._record, self._reachable.graph
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

    def _with_uploads(self, plan: ReusePlan, only: Sequence[str]) -> ReusePlan:
        """Upload what these steps read and no bucket has."""
        graph = self._reachable.graph
        needed = dict.fromkeys(ref.step for ref in needed_artifacts(graph, only))
        placed: dict[str, KnownResult] = {}
        for name in needed:
            if (found := plan.known.get(name)) and found.folder is None:
                known: Mapping[str, KnownResult] = {**plan.known, **placed}
                placed[name] = upload(self._root, self._cache, graph, name, known, self._scratch)
        return plan.with_results(placed) if placed else plan
