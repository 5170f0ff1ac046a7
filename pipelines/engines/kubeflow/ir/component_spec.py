"""The interface of a step as the component that Kubeflow Pipelines sees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

from pydantic import TypeAdapter

from components.contract.executor_input import SOURCE_DIGEST
from components.contract.interface import interface_of
from components.contract.results import PORTS
from components.contract.types import Kind
from pipelines.engines.kubeflow.ir.result_layout import layout_of, layout_of_step, ports_of
from pipelines.runs.graph import Flow, Graph, Kept, Ref, SourceRef, Step

Json: TypeAlias = dict[str, Any]

TITLES: Mapping[Kind, str] = {
    "Dataset": "system.Dataset",
    "Model": "system.Model",
    "LiteModel": "system.Model",
    "Metrics": "system.Metrics",
    "Curve": "system.ClassificationMetrics",
    "Page": "system.HTML",
}
"""Kinds that the UI of Kubeflow Pipelines knows how to show; all others are plain artifacts."""

INPUT: Json = {"artifactType": {"schemaTitle": "system.Artifact", "schemaVersion": "0.0.1"}}
"""What enters a component, which may be the result of any other: every type of artifact fits it."""

FIRST_GPU = "0"
"""How CUDA calls the one GPU that a container sees; without it a step refuses to go on."""

_PARAMETER_TYPES = {
    "string": "STRING",
    "integer": "NUMBER_INTEGER",
    "number": "NUMBER_DOUBLE",
    "boolean": "BOOLEAN",
    "array": "LIST",
    "object": "STRUCT",
}


@dataclass(frozen=True)
class InputArtifact:
    """One artifact that enters a component under a name of its own.

    Attributes:
        name: The port's name; of a port that takes many, the name and a number.
        kind: What the artifact is.
        flow: Where it comes from.
    """

    name: str
    kind: Kind
    flow: Ref | SourceRef


def schema(kind: Kind | None) -> Json:
    """Return the artifact type of a kind; None: of no kind of ours."""
    title = TITLES.get(kind, "system.Artifact") if kind else "system.Artifact"
    return {"schemaTitle": title, "schemaVersion": "0.0.1"}


def input_artifacts(step: Step) -> Iterator[InputArtifact]:
    """Yield what enters a step; inputs that are absent are no inputs of its component."""
    for port in step.interface.inputs:
        flow: Flow = step.inputs[port.name]
        if isinstance(flow, tuple):
            for index, ref in enumerate(flow):
                yield InputArtifact(f"{port.name}_{index}", port.kind, ref)
        elif flow is not None:
            assert not isinstance(flow, Kept), "what is compiled begins with the user's files"
            yield InputArtifact(port.name, port.kind, flow)


def parameters(step: Step, sources: Mapping[str, str], graph: Graph) -> dict[str, Any]:
    """Return the parameters of a step by name, with the digest of every source that enters it.

    A parameter without a value is left out: its default is that it has none. One is no parameter of
    the component, but says what of a result enters: ``PORTS``.

    Args:
        step: The step.
        sources: Digest of every source of the graph.
        graph: All steps of the run, of which this one is one.
    """
    values: dict[str, Any] = {}
    for parameter in step.interface.parameters:
        value = step.parameters[parameter.name]
        if value is None:
            assert not parameter.required, parameter.name
            assert parameter.default is None, parameter.name
            continue
        values[parameter.name] = value
    for artifact in input_artifacts(step):
        if isinstance(artifact.flow, SourceRef):
            values[f"{artifact.name}{SOURCE_DIGEST}"] = sources[artifact.flow.name]
    if ports := ports_of(step, graph):
        values[PORTS] = ports
    return values


def component(step: Step, executor: str, names: Mapping[str, Any]) -> Json:
    """Return the component of a step.

    Args:
        step: The step.
        executor: Label of its executor.
        names: Names of its parameters.
    """
    types = parameter_types(step.component)
    artifacts = {artifact.name: INPUT for artifact in input_artifacts(step)}
    return {
        "executorLabel": executor,
        "inputDefinitions": {
            "artifacts": artifacts,
            "parameters": {name: {"parameterType": types.get(name, "STRING")} for name in names},
        },
        "outputDefinitions": {"artifacts": output_artifacts(step)},
    }


def output_artifacts(step: Step) -> Json:
    """Return the type of every artifact of a step by its name: the result, and those beside it."""
    layout = layout_of_step(step)
    kinds: dict[str, Kind] = {port.name: port.kind for port in step.interface.outputs}
    return {
        layout.name: {"artifactType": schema(layout.kind)},
        **{name: {"artifactType": schema(kinds[name])} for name in layout.beside},
    }


def arguments(step: Step) -> list[str]:
    """Return what a step's container is called with: the component, its artifacts, its input.

    The names of artifacts stand here because Kubeflow keeps one specification for each *container*:
    with them, steps of one component with other artifacts have another container.
    """
    layout = layout_of_step(step)
    beside = ["--beside", *layout.beside] if layout.beside else []
    gpu = ["--gpu", FIRST_GPU] if step.gpu else []
    return [step.component, *gpu, "--result", layout.name, *beside, "--executor-input", "{{$}}"]


def artifact_of(ref: Ref, graph: Graph) -> str:
    """Return the artifact of a step that an output is, or lies in."""
    return layout_of(graph.by_name[ref.step].interface).artifact_of(ref.output)


@cache
def parameter_types(name: str) -> Mapping[str, str]:
    """Return the type of every parameter of a component as Kubeflow Pipelines calls it."""
    own = {
        parameter.name: _parameter_type(TypeAdapter(parameter.annotation).json_schema())
        for parameter in interface_of(name).parameters
    }
    return {**own, PORTS: "STRUCT"}


def _parameter_type(schema: Mapping[str, Any]) -> str:
    """Return the type of what a JSON schema accepts besides null."""
    (kind,) = {part["type"] for part in schema.get("anyOf", [schema])} - {"null"}
    return _PARAMETER_TYPES[kind]
