"""Pipeline versions: what whoever imports runs must know of one, kept in the pipeline root.

A run that a schedule started knows its pipeline version and its pipeline root, nothing else of
slimline. What is written of that version, ``<pipeline root>/plans/<version>.json``, says the rest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

from components.contract.digests import canonical_json
from components.contract.errors import UserError
from components.contract.types import ImageName
from pipelines.runs.graph import Graph
from pipelines.runs.kept.kept_documents import Document
from pipelines.stores.store import KeyMissing, Store

SCHEMA = 1
"""Raised when the meaning of what is written changes."""

_VERSION = re.compile(r"[0-9a-f]{16}-[0-9a-f]{16}")
_SHORT = 16
_COMMAND = ["python", "-m", "components"]
"""What every container of slimline's runs."""


@dataclass(frozen=True)
class PipelineVersion:
    """One version of a pipeline.

    Attributes:
        name: The beginnings of the configuration's digest and of the IR's.
        config_digest: Digest of the resolved configuration.
        graph: Steps and flow; its name is the pipeline's.
        budgets: As configured.
        sources: Digest of every source.
        images: By image the name with digest that pods pull.
        environments: By image the digest of its packages, Python and architecture.
        variants: By name the path of steps; none where an earlier version wrote it.
        documents: Kind and content of what the digests are of: configuration, code, environments;
            none where an earlier version wrote it.
        only: Names of the steps that its runs carry out; None is all.
        folders: Of the other steps, by name, where their results lie below the pipeline root; those
            that are not named have results that no bucket has.
        placements: By component that measures, on which kind of nodes it does.
        retries: How often a run of it that failed is tried again; 0 where an earlier version wrote
            it.
        backoff_s: Seconds before the first retry; each further wait is twice as long.
        fits: Its Workflow was found to be within what every cluster takes; nobody looked where an
            earlier version wrote it.
    """

    name: str
    config_digest: str
    graph: Graph
    budgets: Mapping[str, Any]
    sources: Mapping[str, str]
    images: Mapping[ImageName, str]
    environments: Mapping[ImageName, str]
    variants: Mapping[str, Any] = field(default_factory=dict[str, Any])
    documents: Sequence[Document] = ()
    only: Sequence[str] | None = None
    folders: Mapping[str, str] = field(default_factory=dict[str, str])
    placements: Mapping[str, Any] = field(default_factory=dict[str, Any])
    retries: int = 0
    backoff_s: int = 60
    fits: bool = False

    @cached_property
    def part(self) -> Graph:
        """What its runs carry out. Some steps of it may read results of steps that are outside."""
        return self.graph if self.only is None else self.graph.part(set(self.only))

    @cached_property
    def known(self) -> Graph:
        """What its runs carry out, and the other steps whose results lie in the bucket."""
        if self.only is None:
            return self.graph
        return self.graph.part({*self.only, *self.folders})

    @cached_property
    def _content(self) -> dict[str, object]:
        return {
            "schema": SCHEMA,
            "version": self.name,
            "config_digest": self.config_digest,
            "graph": self.graph.to_json(),
            "budgets": dict(self.budgets),
            "sources": dict(self.sources),
            "images": dict(self.images),
            "environments": dict(self.environments),
            "variants": dict(self.variants),
            "documents": list(self.documents),
            # Left away where there are none, so that earlier versions of slimline read it.
            **({} if self.only is None else {"only": list(self.only)}),
            **({"folders": dict(self.folders)} if self.folders else {}),
            **({"placements": dict(self.placements)} if self.placements else {}),
            "retries": self.retries,
            "backoff_s": self.backoff_s,
            "fits": self.fits,
        }

    def put(self, root: Store) -> None:
        """Write it into a pipeline root, where the same name always means the same."""
        root.put_if_absent(_key(self.name), canonical_json(self._content))

    @classmethod
    def get(cls, root: Store, name: str) -> PipelineVersion:
        """Read what is known of a version.

        Raises:
            UserError: There is none, or another version of slimline wrote it.
        """
        try:
            content = cast("dict[str, Any]", json.loads(root.get(_key(name))))
        except KeyMissing:
            raise UserError(
                f"{root.uri} has no record of the pipeline version {name}",
                "slimline run --engine kubeflow, or slimline schedule add, of its configuration "
                "writes it again",
            ) from None
        if content.pop("schema") != SCHEMA:
            raise UserError(
                f"the record of {name} in {root.uri} is of another version of slimline",
                "import its runs with the version that launched them",
            )
        graph = Graph.from_json(content.pop("graph"))
        return cls(name=content.pop("version"), graph=graph, **content)


def is_compiled(spec: Mapping[str, Any]) -> bool:
    """Whether a pipeline is one that slimline compiled, whatever somebody called it.

    Args:
        spec: What the server has of it.
    """
    containers, _ = _executors(spec)
    ours = bool(containers) and all(one.get("command") == _COMMAND for one in containers)
    return ours and _config_of(spec) is not None


def version_of_spec(root: Store, spec: Mapping[str, Any]) -> PipelineVersion:
    """Find what is known of the pipeline that somebody uploaded as ``slimline compile`` wrote it.

    The name of such a version is that person's; what is in it tells.

    Args:
        root: Its pipeline root.
        spec: What the server has of it.

    Raises:
        UserError: The pipeline root does not know it.
    """
    config = _config_of(spec)
    containers, importers = _executors(spec)
    tasks = set(spec["root"]["dag"]["tasks"])
    images = {one["image"] for one in containers}
    imported = " ".join(str(one.get("artifactUri")) for one in importers)
    for key in root.list(f"plans/{config}-"):
        known = PipelineVersion.get(root, key.removeprefix("plans/").removesuffix(".json"))
        if (
            known.only is None
            and known.graph.by_name.keys() <= tasks
            and images <= set(known.images.values())
            and all(source in imported for source in known.sources.values())
        ):
            return known
    raise UserError(
        f"{root.uri} has no record of the pipeline that was uploaded as a file, of the "
        f"configuration {config}",
        "slimline compile CONFIG -o FILE --stage, of the same configuration, writes it; then sync "
        "again",
    )


def _config_of(spec: Mapping[str, Any]) -> str | None:
    """Return the beginning of the configuration's digest, which every run is told."""
    try:
        stated = spec["root"]["inputDefinitions"]["parameters"]["configuration"]["defaultValue"]
    except (LookupError, TypeError):
        return None
    return stated if isinstance(stated, str) and re.fullmatch(r"[0-9a-f]{16}", stated) else None


def _executors(spec: Mapping[str, Any]) -> tuple[list[Any], list[Any]]:
    """Return the containers and the importers of a pipeline."""
    try:
        executors = list(spec["deploymentSpec"]["executors"].values())
    except (LookupError, TypeError, AttributeError):
        return [], []
    containers = [one["container"] for one in executors if "container" in one]
    return containers, [one["importer"] for one in executors if "importer" in one]


def version_name(config_digest: str, compiled_digest: str) -> str:
    """Return the name of the pipeline version of a configuration as it is compiled now."""
    return f"{config_digest[:_SHORT]}-{compiled_digest[:_SHORT]}"


def is_version_name(name: str) -> bool:
    """Whether slimline gave this name to a pipeline version."""
    return _VERSION.fullmatch(name) is not None


def _key(name: str) -> str:
    return f"plans/{name}.json"
