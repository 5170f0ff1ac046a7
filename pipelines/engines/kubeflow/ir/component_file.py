"""A component alone, for pipelines that others write with the SDK of Kubeflow Pipelines.

The file is what the SDK writes of one container component, so that ``load_component_from_file`` of
the SDK takes it, and a server runs it as a pipeline of one step. Unlike the steps of our own
pipelines every input and output is an artifact of its own, with the type that the pipeline UI and
the type checks of the SDK know, and a statement beside them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from components.contract.executor_input import NOT_GIVEN, SOURCE_DIGEST, STATEMENT
from components.contract.images import GPU_IMAGE
from components.contract.interface import Interface, Parameter, Port, interface_of
from components.contract.types import ImageName
from pipelines.engines.kubeflow.ir.component_spec import FIRST_GPU, Json, parameter_types, schema
from pipelines.engines.kubeflow.ir.yaml_text import yaml_text

_SCHEMA_VERSION, _SDK_VERSION = "2.1.0", "kfp-2.17.0"
_PASSED = {"artifacts": "componentInputArtifact", "parameters": "componentInputParameter"}
_STATED = "what was done: inputs, parameters, versions, digests of the outputs, times (JSON)"
_UNCACHED = "Turn caching off for it: set_caching_options(False)."


def component_file(name: str, image: str, *, gpu: bool = False) -> str:
    """Return a component as YAML; equal arguments give equal text.

    Args:
        name: Which component.
        image: What its pod pulls, with digest.
        gpu: Whether it has to compute on a GPU, which its image must be made for.

    Raises:
        UserError: There is no component of that name.
    """
    interface = interface_of(name)
    label = name.replace("_", "-")
    inputs: Json = {"artifacts": dict(_inputs(interface)), "parameters": dict(_given(interface))}
    inputs = {kind: declared for kind, declared in inputs.items() if declared}
    outputs: Json = {"artifacts": dict(_outputs(interface))}
    on_gpu = ["--gpu", FIRST_GPU] if gpu else []
    container: Json = {
        "image": image,
        "command": ["python", "-m", "components"],
        "args": [name, *on_gpu, "--executor-input", "{{$}}"],
    }
    passed = {
        kind: {each: {_PASSED[kind]: each} for each in declared}
        for kind, declared in inputs.items()
    }
    task: Json = {
        "taskInfo": {"name": label},
        "componentRef": {"name": f"comp-{label}"},
        "cachingOptions": {"enableCache": True} if interface.cached_by_name else {},
        "inputs": passed,
    }
    selected = {
        port: {"artifactSelectors": [{"outputArtifactKey": port, "producerSubtask": label}]}
        for port in outputs["artifacts"]
    }
    document: Json = {
        "pipelineInfo": {"name": label, "description": _description(interface)},
        "schemaVersion": _SCHEMA_VERSION,
        "sdkVersion": _SDK_VERSION,
        "components": {
            f"comp-{label}": {
                "executorLabel": f"exec-{label}",
                "inputDefinitions": inputs,
                "outputDefinitions": outputs,
            }
        },
        "deploymentSpec": {"executors": {f"exec-{label}": {"container": container}}},
        "root": {
            "inputDefinitions": inputs,
            "outputDefinitions": outputs,
            "dag": {"tasks": {label: task}, "outputs": {"artifacts": selected}},
        },
    }
    return yaml_text(document)


def image_of(name: str, *, gpu: bool) -> ImageName:
    """Return the image that a component runs in.

    Raises:
        UserError: There is no component of that name.
    """
    return GPU_IMAGE if gpu else interface_of(name).image


def _description(interface: Interface) -> str:
    return interface.summary if interface.cached_by_name else f"{interface.summary} {_UNCACHED}"


def _inputs(interface: Interface) -> Iterator[tuple[str, Json]]:
    for port in interface.inputs:
        declared: Json = {"artifactType": schema(port.kind), **_described(port)}
        if port.many:
            declared["isArtifactList"] = True
        if port.optional:
            declared["isOptional"] = True
        yield port.name, declared


def _outputs(interface: Interface) -> Iterator[tuple[str, Json]]:
    for port in interface.outputs:
        yield port.name, {"artifactType": schema(port.kind), **_described(port)}
    yield STATEMENT, {"artifactType": schema(None), "description": _STATED}


def _given(interface: Interface) -> Iterator[tuple[str, Json]]:
    types = parameter_types(interface.name)
    for parameter in interface.parameters:
        kind = types[parameter.name]
        declared: Json = {"parameterType": kind, **_described(parameter)}
        if not parameter.required:
            declared["isOptional"] = True
            default = parameter.default
            if default is None and kind == "NUMBER_INTEGER":
                default = NOT_GIVEN  # the SDK's local runner makes an integer of the null it passes
                declared["description"] = f"{parameter.help} {NOT_GIVEN}: not given.".strip()
            if default is not None:
                declared["defaultValue"] = _plain(default, kind)
        yield parameter.name, declared
    for port in interface.inputs:
        if port.kind == "Source":
            what = f"digest of {port.name}, so that caches see new data; it is checked"
            declared = {"parameterType": "STRING", "isOptional": True, "description": what}
            yield f"{port.name}{SOURCE_DIGEST}", declared


def _described(item: Port | Parameter) -> Json:
    return {"description": item.help} if item.help else {}


def _plain(default: Any, kind: str) -> Any:
    """Return a default as JSON has it, a number as the type that is declared."""
    if isinstance(default, tuple):
        return list(cast("tuple[object, ...]", default))
    return float(default) if kind == "NUMBER_DOUBLE" else default
