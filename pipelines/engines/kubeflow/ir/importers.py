"""Importers: what enters a pipeline from a bucket, be it the user's data or an earlier result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipelines.engines.kubeflow.ir.component_spec import Json, schema
from pipelines.runs.graph import Place, Ref

_SOURCE, _RESULT = "source-", "result-"


@dataclass(frozen=True)
class Imported:
    """An artifact of a step that an earlier run left in a bucket.

    Attributes:
        uri: Address of its artifact.
        metadata: What is known of the artifact besides; the server takes the artifact that it has
            for the same one where type, address and all of these agree.
    """

    uri: str
    metadata: Mapping[str, str | float] = field(default_factory=dict[str, "str | float"])


@dataclass(frozen=True)
class Importer:
    """One task that imports one artifact.

    Attributes:
        task: Name of the task.
        output: Name of its output, which the pipeline UI shows at the artifact's node.
        uri: What it imports.
        kind: Type of the artifact.
        metadata: See ``Imported``.
        cached: Whether the server may take the one that it imported before.
    """

    task: str
    output: str
    uri: str
    kind: Json
    metadata: Mapping[str, str | float]
    cached: bool

    def component_json(self) -> Json:
        """Return its component, which no other importer shares: it holds a constant address."""
        return {
            "executorLabel": f"exec-{self.task}",
            "inputDefinitions": {"parameters": {"uri": {"parameterType": "STRING"}}},
            "outputDefinitions": {"artifacts": {self.output: {"artifactType": self.kind}}},
        }

    def executor_json(self) -> Json:
        """Return its executor."""
        return {
            "importer": {
                "artifactUri": {"constant": self.uri},
                "metadata": dict(self.metadata),
                "typeSchema": self.kind,
            }
        }

    def task_json(self) -> Json:
        """Return its task."""
        return {
            "taskInfo": {"name": self.task},
            "componentRef": {"name": f"comp-{self.task}"},
            "cachingOptions": {"enableCache": True} if self.cached else {},
            "inputs": {"parameters": {"uri": {"runtimeValue": {"constant": self.uri}}}},
        }


def source_task(name: str) -> str:
    """Return the name of the task that imports a source."""
    return f"{_SOURCE}{name}"


def result_task(artifact: Ref) -> str:
    """Return the name of the task that imports an artifact of a step."""
    return f"{_RESULT}{artifact.step}-{artifact.output.replace('_', '-')}"


def of_source(name: str, place: Place, *, uri: str, digest: str, cached: bool) -> Importer:
    """Return what imports a source.

    Args:
        name: Of the source.
        place: Where the user has it.
        uri: Where a copy was staged.
        digest: Of the source.
        cached: See ``Importer``.
    """
    metadata = {"digest": digest, "display_name": _shown(place)}
    return Importer(source_task(name), name, uri, schema(None), metadata, cached)


def _shown(place: Place) -> str:
    """Return what people call a source: the last part of its address."""
    first, *others = place if isinstance(place, tuple) else (place,)
    name = first.rstrip("/").rpartition("/")[2] or first
    return f"{name} and {len(others)} more" if others else name
