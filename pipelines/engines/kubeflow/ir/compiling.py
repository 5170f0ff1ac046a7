"""Compile: the graph as the intermediate representation of Kubeflow Pipelines.

The documents are written directly, field by field, and not through the SDK, which takes seconds
to load; the tests hold them against what the SDK writes for the same pipeline. Every step has a
component of its own: the SDK's local runner names folders by component, so that two steps of one
component would overwrite each other's results.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.contract.types import ImageName
from pipelines.config.configuration import Config
from pipelines.config.kubeflow import Kubeflow, Resources
from pipelines.engines.kubeflow.ir import argument_size, gpus
from pipelines.engines.kubeflow.ir.component_spec import (
    ARTIFACT,
    Json,
    component,
    input_artifacts,
    parameters,
    schema,
)
from pipelines.engines.kubeflow.ir.pod_spec import pod
from pipelines.engines.kubeflow.ir.yaml_text import yaml_text
from pipelines.engines.kubeflow.preflight import Reachable
from pipelines.runs.graph import Ref, SourceRef, Step

SDK_VERSION = "kfp-2.17.0"
"""The SDK whose representation this is."""

_SCHEMA_VERSION = "2.1.0"
_IMPORTER = "source-"
_BACKOFF_FACTOR, _BACKOFF_MAX_S = 2.0, 3600


@dataclass(frozen=True)
class Compiled:
    """A pipeline as Kubeflow Pipelines takes it.

    Attributes:
        text: YAML: the pipeline, and after ``---`` what Kubernetes alone understands of it.
        pipeline: The first of these documents: Vertex AI's client reads no second one.
        digest: sha256 of ``text``.
        name: Of the pipeline.
        sources: By name of a source the address that is imported: ``source.json`` and ``files``.
    """

    text: str
    pipeline: str
    digest: str
    name: str
    sources: Mapping[str, str]


def compiled(
    reachable: Reachable, sources: Mapping[str, str], images: Mapping[ImageName, str]
) -> Compiled:
    """Compile a graph; equal arguments give equal bytes, in time linear in the steps.

    Args:
        reachable: What runs.
        sources: Digest of every source of the graph.
        images: The name with digest that pods pull every image by.

    Raises:
        UserError: A step takes more artifacts than fit into the argument that tells it of them.
    """
    graph, settings = reachable.graph, reachable.settings
    places = {name: f"{settings.pipeline_root}/sources/{sources[name]}" for name in graph.sources}
    steps = graph.ordered
    values = {step.name: parameters(step, sources) for step in steps}
    for step in steps:
        argument_size.check(
            step,
            values[step.name],
            pipeline=graph.name,
            root=settings.pipeline_root,
            source_root=max(places.values(), key=len, default=""),
        )
    components = {
        f"comp-{step.name}": component(step, f"exec-{step.name}", values[step.name])
        for step in steps
    }
    executors = {
        f"exec-{step.name}": {"container": _container(step, settings, images)} for step in steps
    }
    tasks = {step.name: _task(step, values[step.name], settings) for step in steps}
    for name, place in places.items():
        label = f"{_IMPORTER}{name}"
        components[f"comp-{label}"] = _importer_component(label)
        executors[f"exec-{label}"] = _importer(place, sources[name])
        tasks[label] = _import_task(label, place, settings)
    pipeline: Json = {
        "pipelineInfo": {"name": graph.name, "description": _description(reachable.config)},
        "defaultPipelineRoot": settings.pipeline_root,
        "schemaVersion": _SCHEMA_VERSION,
        "sdkVersion": SDK_VERSION,
        "components": components,
        "deploymentSpec": {"executors": executors},
        "root": {"dag": {"tasks": tasks}},
    }
    pods = {f"exec-{step.name}": pod(step, settings) for step in steps}
    platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": pods}}}}
    documents = [yaml_text(pipeline), yaml_text(platform)]
    text = "---\n".join(documents)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Compiled(text, documents[0], digest, graph.name, places)


def _description(config: Config) -> str:
    return f"{config.task}: the teacher and {', '.join(config.variants)}"


# importers --------------------------------------------------------------------------------------


def _importer_component(label: str) -> Json:
    return {
        "executorLabel": f"exec-{label}",
        "inputDefinitions": {"parameters": {"uri": {"parameterType": "STRING"}}},
        "outputDefinitions": {"artifacts": {ARTIFACT: {"artifactType": schema(None)}}},
    }


def _importer(place: str, digest: str) -> Json:
    return {
        "importer": {
            "artifactUri": {"constant": place},
            "metadata": {"digest": digest},
            "typeSchema": schema(None),
        }
    }


def _import_task(label: str, place: str, settings: Kubeflow) -> Json:
    return {
        "taskInfo": {"name": label},
        "componentRef": {"name": f"comp-{label}"},
        "cachingOptions": {"enableCache": True} if settings.cache else {},
        "inputs": {"parameters": {"uri": _constant(place)}},
    }


# steps ------------------------------------------------------------------------------------------


def _container(step: Step, settings: Kubeflow, images: Mapping[ImageName, str]) -> Json:
    container: Json = {
        "image": images[step.image],
        "command": ["python", "-m", "components"],
        "args": [step.component, *gpus.arguments(step), "--executor-input", "{{$}}"],
        "resources": _resources(step, settings.resources.get(step.component, Resources())),
    }
    if settings.environment:
        container["env"] = [
            {"name": name, "value": value} for name, value in sorted(settings.environment.items())
        ]
    return container


def _resources(step: Step, given: Resources) -> Json:
    """Ask for as much as the step may take, so that its pod is never evicted for taking it.

    Numbers stand beside text, the older form, which Vertex AI and older servers read.
    """
    cpu = float(given.cpu or step.threads)
    memory_gb = float(given.memory_gb or step.memory_gb)
    cores, memory = f"{1000 * cpu:.0f}m", f"{1000 * memory_gb:.0f}M"
    resources: Json = {
        "cpuRequest": cpu, "cpuLimit": cpu,
        "memoryRequest": memory_gb, "memoryLimit": memory_gb,
        "resourceCpuRequest": cores, "resourceCpuLimit": cores,
        "resourceMemoryRequest": memory, "resourceMemoryLimit": memory,
    }  # fmt: skip
    return {**resources, **gpus.resources(step, given)}


def _task(step: Step, values: Mapping[str, Any], settings: Kubeflow) -> Json:
    flows = {artifact.name: artifact.flow for artifact in input_artifacts(step)}
    producers = {_producer(flow)[0] for flow in flows.values()}
    cached = settings.cache and step.interface.cached_by_name
    task: Json = {
        "taskInfo": {"name": step.name},
        "componentRef": {"name": f"comp-{step.name}"},
        "cachingOptions": {"enableCache": True} if cached else {},
        "dependentTasks": sorted(producers),
        "inputs": {
            "artifacts": {name: _task_output(flow) for name, flow in flows.items()},
            "parameters": {name: _constant(value) for name, value in values.items()},
        },
    }
    if settings.retries:
        task["retryPolicy"] = {
            "maxRetryCount": settings.retries,
            "backoffDuration": f"{settings.backoff_s}s",
            "backoffFactor": _BACKOFF_FACTOR,
            "backoffMaxDuration": f"{max(_BACKOFF_MAX_S, settings.backoff_s)}s",
        }
    return task


def _producer(flow: Ref | SourceRef) -> tuple[str, str]:
    """Return the task and the output that something comes from."""
    if isinstance(flow, SourceRef):
        return f"{_IMPORTER}{flow.name}", ARTIFACT
    return flow.step, flow.output


def _task_output(flow: Ref | SourceRef) -> Json:
    task, output = _producer(flow)
    return {"taskOutputArtifact": {"producerTask": task, "outputArtifactKey": output}}


def _constant(value: object) -> Json:
    return {"runtimeValue": {"constant": value}}
