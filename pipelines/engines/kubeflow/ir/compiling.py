"""Compile: the graph as the intermediate representation of Kubeflow Pipelines.

The documents are written directly, field by field, and not through the SDK, which takes seconds
to load; the tests hold them against what the SDK writes for the same pipeline. Steps of one kind of
container share a component, an executor and a platform entry: see ``kinds.py``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from components.contract.executor_input import CACHE_KEY
from components.contract.metadata import SERVICE
from components.contract.types import ImageName
from pipelines.config.configuration import Config
from pipelines.config.kubeflow import Kubeflow, Resources
from pipelines.engines.kubeflow.ir import gpus, importers, workspaces
from pipelines.engines.kubeflow.ir.cache_keys import keys_of, repeatable
from pipelines.engines.kubeflow.ir.component_spec import (
    Json,
    arguments,
    artifact_of,
    input_artifacts,
    output_artifacts,
    parameters,
)
from pipelines.engines.kubeflow.ir.container_spec import container
from pipelines.engines.kubeflow.ir.gathered import Gathered, gather
from pipelines.engines.kubeflow.ir.importers import Imported, Importer
from pipelines.engines.kubeflow.ir.kinds import ContainerKind, kinds
from pipelines.engines.kubeflow.ir.pod_spec import life_s, pod, way_to_devices
from pipelines.engines.kubeflow.ir.preflight import Reachable
from pipelines.engines.kubeflow.ir.result_layout import display_names
from pipelines.engines.kubeflow.ir.workspaces import Staging
from pipelines.engines.kubeflow.ir.yaml_text import yaml_text
from pipelines.runs.graph import Graph, Ref, SourceRef, Step

SDK_VERSION = "kfp-2.17.0"
"""The SDK whose representation this is."""

_SCHEMA_VERSION = "2.1.0"
_BACKOFF_FACTOR = 2.0
_NONE_GATHERED: Mapping[str, Gathered] = {}
_NOTHING: Mapping[Ref, Imported] = {}


@dataclass(frozen=True)
class Compiled:
    """A pipeline as Kubeflow Pipelines takes it.

    Attributes:
        text: YAML: the pipeline, and after ``---`` what Kubernetes alone understands of it.
        pipeline: The first of these documents: Vertex AI's client reads no second one.
        digest: sha256 of ``text``.
        name: Of the pipeline.
        sources: By name of a source the address that is imported: ``source.json`` and ``files``.
        parameters: What a run is told besides, for people: data, configuration and seed.
        spec: The first document, before it became text.
        platform: The second one.
        steps: Names of the steps that it runs, each after all that it needs.
    """

    text: str
    pipeline: str
    digest: str
    name: str
    sources: Mapping[str, str]
    parameters: Mapping[str, Any]
    spec: Json
    platform: Json
    steps: tuple[str, ...]


def compiled(
    reachable: Reachable,
    sources: Mapping[str, str],
    images: Mapping[ImageName, str],
    *,
    only: Collection[str] | None = None,
    imported: Mapping[Ref, Imported] = _NOTHING,
    cache_keys: bool = True,
    uncached: Collection[str] = (),
    gathered: Mapping[str, Gathered] = _NONE_GATHERED,
) -> Compiled:
    """Compile a graph; equal arguments give equal bytes, in time linear in the steps.

    Whether a server can hold it is another question: ``limits.check``.

    Args:
        reachable: What runs.
        sources: Digest of every source of the graph.
        images: The name with digest that pods pull every image by.
        only: Names of the steps to run, where that is not all of them.
        imported: By artifact of a step that does not run, and that some need which do, where it
            lies; ``needed_artifacts`` names them.
        cache_keys: Whether tasks say the key of their cache entry, which servers before 2.18 do not
            read and Vertex AI does not know.
        uncached: Names of steps of which the cluster's cache must not answer with what it has.
        gathered: By step what it reads from one folder, and not from an importer for each.
    """
    graph, settings = reachable.graph, reachable.settings
    steps = [step for step in graph.ordered if only is None or step.name in only]
    keys = keys_of(graph, sources, images, reachable.devices)
    called = display_names(graph)
    staged = workspaces.stagings(graph, {step.name for step in steps}, settings)
    values = {
        step.name: {
            **parameters(step, sources, graph),
            **workspaces.parameters_of(step, staged),
            CACHE_KEY: f"{keys[step.name]} {called.get(step.name, '')}".rstrip(),
        }
        for step in steps
    }
    kind_of = kinds(
        steps,
        values,
        lambda step: _container(step, settings, images),
        lambda step: {**pod(step, settings), **workspaces.mounts_of(step, staged)},
    )
    places = {name: f"{settings.pipeline_root}/sources/{sources[name]}" for name in graph.sources}
    importing = _importers(reachable, steps, places, sources, imported)
    lasting = repeatable(graph) if cache_keys else frozenset[str]()
    place_of = _places(graph, imported, staged)
    tasks: Json = {}
    for step in steps:
        key = keys[step.name] if step.name in lasting else None
        unknown = step.elsewhere and step.device not in reachable.devices
        never = unknown or step.name in uncached
        caching = {} if never else _caching(step, settings, key)
        kind = kind_of[step.name]
        tasks[step.name] = _task(step, kind, values[step.name], settings, place_of, caching)
    tasks |= {one.task: one.task_json() for one in importing}
    made_by = _places(graph, imported, {})
    for one in staged.values():
        producer = made_by(Ref(one.artifact.step, one.output))
        retry = _retry_policy(workspaces.LIFE_S, settings) if settings.retries else None
        tasks[one.task] = one.task_json(producer, retry, cached=settings.cache)
    used = tuple({kind.name: kind for kind in kind_of.values()}.values())
    given = _run_parameters(reachable.config)
    pipeline = _pipeline(reachable, images, used, importing, staged.values(), tasks, given)
    for name, folder in gathered.items():
        gather(pipeline, graph.by_name[name], folder)
    platform = _platform(settings, used, staged.values())
    documents = [yaml_text(pipeline), yaml_text(platform)]
    text = "---\n".join(documents)
    return Compiled(
        text=text,
        pipeline=documents[0],
        digest=hashlib.sha256(text.encode()).hexdigest(),
        name=graph.name,
        sources=places,
        parameters=given,
        spec=pipeline,
        platform=platform,
        steps=tuple(step.name for step in steps),
    )


# documents --------------------------------------------------------------------------------------


def _pipeline(
    reachable: Reachable,
    images: Mapping[ImageName, str],
    used: Collection[ContainerKind],
    importing: Collection[Importer],
    staged: Collection[Staging],
    tasks: Json,
    given: Mapping[str, Any],
) -> Json:
    """Return the first document: what runs, and how its tasks hang together."""
    settings = reachable.settings
    return {
        "pipelineInfo": {
            "name": reachable.graph.name, "description": _description(reachable.config)
        },
        "defaultPipelineRoot": settings.pipeline_root,
        "schemaVersion": _SCHEMA_VERSION,
        "sdkVersion": SDK_VERSION,
        "components": {kind.reference: kind.component for kind in used}
        | {f"comp-{one.task}": one.component_json() for one in (*importing, *staged)},
        "deploymentSpec": {
            "executors": {kind.executor: {"container": kind.container} for kind in used}
            | {f"exec-{one.task}": one.executor_json() for one in importing}
            | {f"exec-{one.task}": one.executor_json(settings, images) for one in staged}
        },
        "root": {
            "dag": {"tasks": tasks},
            "inputDefinitions": {"parameters": _declared(given)},
        },
    }  # fmt: skip


def _platform(
    settings: Kubeflow, used: Collection[ContainerKind], staged: Collection[Staging]
) -> Json:
    """Return the second document: what only Kubernetes understands."""
    pods = {kind.executor: kind.pod for kind in used}
    pods |= {f"exec-{one.task}": one.pod_json(settings) for one in staged}
    on_kubernetes = {"deploymentSpec": {"executors": pods}, **workspaces.platform_json(settings)}
    return {"platforms": {"kubernetes": on_kubernetes}}


def _description(config: Config) -> str:
    return f"{config.task}: the teacher and {', '.join(config.variants)}"


def _run_parameters(config: Config) -> dict[str, Any]:
    """Return what the pipeline UI says and compares of a run; no task reads it."""
    return {"configuration": config.digest[:16], "data": config.data, "seed": config.seed}


def _declared(given: Mapping[str, Any]) -> Json:
    return {
        name: {
            "defaultValue": value,
            "isOptional": True,
            "parameterType": "NUMBER_INTEGER" if isinstance(value, int) else "STRING",
        }
        for name, value in given.items()
    }


# importers --------------------------------------------------------------------------------------


def _importers(
    reachable: Reachable,
    steps: Collection[Step],
    places: Mapping[str, str],
    sources: Mapping[str, str],
    imported: Mapping[Ref, Imported],
) -> list[Importer]:
    """Return what imports the sources and results that these steps need, once each."""
    graph, cached = reachable.graph, reachable.settings.cache
    running = {step.name for step in steps}
    found: dict[str, Importer] = {}
    for step in steps:
        for artifact in input_artifacts(step):
            flow = artifact.flow
            if isinstance(flow, SourceRef):
                one = importers.of_source(
                    flow.name,
                    graph.sources[flow.name],
                    uri=places[flow.name],
                    digest=sources[flow.name],
                    cached=cached,
                )
            elif flow.step not in running:
                one = _of_result(graph, Ref(flow.step, artifact_of(flow, graph)), imported)
            else:
                continue
            found.setdefault(one.task, one)
    return list(found.values())


def _of_result(graph: Graph, artifact: Ref, imported: Mapping[Ref, Imported]) -> Importer:
    assert artifact in imported, f"nothing says where {artifact} lies"
    return Importer(
        task=importers.result_task(artifact),
        output=artifact.output,
        uri=imported[artifact].uri,
        kind=output_artifacts(graph.by_name[artifact.step])[artifact.output]["artifactType"],
        metadata=imported[artifact].metadata,
        cached=False,
    )


def needed_artifacts(graph: Graph, only: Collection[str]) -> tuple[Ref, ...]:
    """Return what some steps of a graph need of the others, by step and artifact, once each.

    Args:
        graph: The whole graph.
        only: Names of the steps that are to run.
    """
    refs = (ref for step in graph.ordered if step.name in only for ref in step.refs)
    outside = (ref for ref in refs if ref.step not in only)
    return tuple(dict.fromkeys(Ref(ref.step, artifact_of(ref, graph)) for ref in outside))


# steps ------------------------------------------------------------------------------------------


def _container(step: Step, settings: Kubeflow, images: Mapping[ImageName, str]) -> Json:
    given = settings.resources.get(step.component, Resources())
    return container(
        images[step.image],
        "components",
        arguments(step),
        settings,
        cpu=float(given.cpu or max(step.threads, 1)),  # the threads elsewhere are not its own
        memory_gb=float(given.memory_gb or step.memory_gb),
        accelerator=gpus.resources(step, given),
        environment={**_linked(step, settings), **way_to_devices(step, settings)},
    )


def _linked(step: Step, settings: Kubeflow) -> Mapping[str, str]:
    """Return the variable that says where people find more than a page that a step makes."""
    makes_page = any(port.kind == "Page" for port in step.interface.outputs)
    return {SERVICE: settings.service} if settings.service and makes_page else {}


def _places(
    graph: Graph, imported: Mapping[Ref, Imported], staged: Mapping[Ref, Staging]
) -> Callable[[Ref], tuple[str, str]]:
    """Return a function that says which task and which of its artifacts give an output."""

    def place_of(output: Ref) -> tuple[str, str]:
        artifact = Ref(output.step, artifact_of(output, graph))
        if artifact in staged:
            return staged[artifact].task, artifact.output
        task = importers.result_task(artifact) if artifact in imported else artifact.step
        return task, artifact.output

    return place_of


def _task(
    step: Step,
    kind: ContainerKind,
    values: Mapping[str, Any],
    settings: Kubeflow,
    place_of: Callable[[Ref], tuple[str, str]],
    caching: Json,
) -> Json:
    def source_of(flow: Ref | SourceRef) -> tuple[str, str]:
        """Return the task and the output that something comes from."""
        if isinstance(flow, SourceRef):
            return importers.source_task(flow.name), flow.name
        return place_of(flow)

    flows = {artifact.name: source_of(artifact.flow) for artifact in input_artifacts(step)}
    task: Json = {
        "taskInfo": {"name": step.name},
        "componentRef": {"name": kind.reference},
        "cachingOptions": caching,
        "dependentTasks": sorted({producer for producer, _ in flows.values()}),
        "inputs": {
            "artifacts": {
                name: {"taskOutputArtifact": {"producerTask": task, "outputArtifactKey": output}}
                for name, (task, output) in flows.items()
            },
            "parameters": {
                name: {"runtimeValue": {"constant": value}}
                for name, value in kind.differing(values).items()
            },
        },
    }
    if settings.retries:
        task["retryPolicy"] = _retry_policy(life_s(step, settings), settings)
    return task


def _caching(step: Step, settings: Kubeflow, key: str | None) -> Json:
    """Return whether the cluster may answer with what it has, and under which key, if any."""
    if not (settings.cache and step.interface.cached_by_name):
        return {}
    return {"enableCache": True, "cacheKey": key} if key else {"enableCache": True}


def _retry_policy(pod_s: float, settings: Kubeflow) -> Json:
    """Return how a step is tried again, with time for every attempt to live as long as it may.

    Argo counts the longest duration from the start of the first attempt, and gives what is left of
    it to the next one as its deadline.
    """
    waits = sum(settings.backoff_s * _BACKOFF_FACTOR**count for count in range(settings.retries))
    return {
        "maxRetryCount": settings.retries,
        "backoffDuration": f"{settings.backoff_s}s",
        "backoffFactor": _BACKOFF_FACTOR,
        "backoffMaxDuration": f"{round((settings.retries + 1) * pod_s + waits)}s",
    }
