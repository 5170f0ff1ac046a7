"""Owned runs: the runs of slimline's pipelines among all that a server has, whoever started them.

Slimline's own uploads are known by their name. What somebody uploaded in the user interface, as
``slimline compile`` wrote it, and what was started of it there, once, cloned or by the clock, is
known by what is in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from components.contract.errors import UserError
from pipelines.engines.kubeflow.api.connection import Connection, Resource
from pipelines.engines.kubeflow.bucket.pipeline_root import open_root
from pipelines.engines.kubeflow.bucket.versions import (
    PipelineVersion,
    is_compiled,
    is_version_name,
    version_of_spec,
)
from pipelines.stores.bucket import BucketStore

Known = tuple[PipelineVersion, BucketStore]
"""What a run is a run of, and its pipeline root."""

Owned = tuple[Resource, "Known | UserError"]
"""A run with what it is of, or with why that is not known."""


def owned_runs(connection: Connection) -> Iterator[Owned]:
    """Yield every run of a pipeline of slimline, the oldest first.

    Args:
        connection: The API server.

    Raises:
        UserError: The server or a pipeline root cannot be used.
    """
    search = _Owners(connection)
    rows = connection.all(
        connection.runs.run_service_list_runs,
        "runs",
        namespace=connection.namespace,
        sort_by="created_at asc",
    )
    for run in rows:
        if (owned := search.owned(run)) is not None:
            yield owned


class _Owners:
    """Looks up what runs are runs of, each pipeline version once.

    Args:
        connection: The API server.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._versions: dict[str, Resource] = {}
        self._roots: dict[str, BucketStore] = {}
        self._known: dict[tuple[str, str], Known | UserError | None] = {}

    def owned(self, run: Resource) -> Owned | None:
        """Return a run with what it is of, or None where it is none of slimline's."""
        reference = run.pipeline_version_reference
        if reference is None or not reference.pipeline_version_id:
            return None
        given = (run.runtime_config and run.runtime_config.pipeline_root) or ""
        key: tuple[str, str] = (reference.pipeline_version_id, given.rstrip("/"))
        if key not in self._known:
            self._known[key] = self._find(self._version(reference), key[1])
        known = self._known[key]
        return None if known is None else (run, known)

    def _version(self, reference: Resource) -> Resource:
        """Return a pipeline version, or None where somebody deleted it."""
        identifier: str = reference.pipeline_version_id
        if identifier not in self._versions:
            try:
                self._versions[identifier] = self._connection.ask(
                    self._connection.pipelines.pipeline_service_get_pipeline_version,
                    reference.pipeline_id,
                    identifier,
                )
            except LookupError:
                self._versions[identifier] = None
        return self._versions[identifier]

    def _find(self, version: Resource, given: str) -> Known | UserError | None:
        """Look where the run was, and where the pipeline would have it: people change that."""
        spec: Any = version and version.pipeline_spec
        if not isinstance(spec, dict):
            return None
        whole = cast("dict[str, Any]", spec)
        pipeline = cast("dict[str, Any]", whole.get("pipeline_spec", whole))
        ours = is_version_name(version.display_name)
        if not ours and not is_compiled(pipeline):
            return None
        default = str(pipeline.get("defaultPipelineRoot", ""))
        error: UserError | None = None
        for place in dict.fromkeys((given or default, default)):
            try:
                root = self._root(place)
                if ours:
                    found = PipelineVersion.get(root, version.display_name)
                else:
                    found = version_of_spec(root, pipeline)
                return found, self._root(given or default)
            except UserError as fault:
                error = error or fault
        return error

    def _root(self, uri: str) -> BucketStore:
        if uri not in self._roots:
            self._roots[uri] = open_root(uri)
        return self._roots[uri]
