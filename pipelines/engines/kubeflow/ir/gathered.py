"""Gathered results: many inputs of one step as one artifact, instead of an importer for each.

A step that compares all variants reads three results of each of them. Where they were made by other
runs, each would be a task, a component and an executor of its own in the pipeline. So they are
brought together in one folder of the bucket, ``<step>/statement.json`` and ``<step>/<output>`` for
each, and imported at once; a parameter says which of them enters where.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from components.contract.executor_input import GATHERED
from pipelines.engines.kubeflow.ir.component_spec import INPUT, Json, schema
from pipelines.engines.kubeflow.ir.importers import Importer
from pipelines.runs.graph import Graph, Ref, Step

IMPORTS_MAX = 12
"""Results up to so many are imported one by one, which shows in the pipeline UI where they are
from."""


@dataclass(frozen=True)
class Gathered:
    """Results that one step reads, in one folder.

    Attributes:
        uri: Address of the folder.
        refs: What lies in it.
    """

    uri: str
    refs: frozenset[Ref]


def to_gather(graph: Graph, only: Collection[str]) -> dict[str, tuple[Ref, ...]]:
    """Return by step what it reads of steps that do not run, where that is to be gathered.

    Args:
        graph: The whole graph.
        only: Names of the steps that are to run.
    """
    found: dict[str, tuple[Ref, ...]] = {}
    for step in graph.ordered:
        if step.name in only:
            refs = tuple(ref for ref in _in_many(step) if ref.step not in only)
            if len(refs) > IMPORTS_MAX:
                found[step.name] = refs
    return found


def gather(pipeline: Json, step: Step, gathered: Gathered) -> None:
    """Let a step of a compiled pipeline read gathered results, and drop their importers.

    Args:
        pipeline: The first document of the pipeline, which is changed.
        step: The step; no other one shares its component.
        gathered: What it reads.
    """
    tasks: Json = pipeline["root"]["dag"]["tasks"]
    task: Json = tasks[step.name]
    component: Json = pipeline["components"][task["componentRef"]["name"]]
    sharing = [one for one in tasks.values() if one["componentRef"] == task["componentRef"]]
    assert len(sharing) == 1, f"{step.name} shares its component"
    inputs, taken = component["inputDefinitions"], task["inputs"]
    listed: dict[str, list[str | None]] = {}
    for port, flow in step.inputs.items():
        if isinstance(flow, tuple) and gathered.refs.intersection(flow):
            listed[port] = [ref.step if ref in gathered.refs else None for ref in flow]
            for index, ref in enumerate(flow):
                if ref in gathered.refs:
                    del inputs["artifacts"][f"{port}_{index}"]
                    del taken["artifacts"][f"{port}_{index}"]
    importer = Importer(
        task=f"{GATHERED}-{step.name}",
        output=GATHERED,
        uri=gathered.uri,
        kind=schema(None),
        metadata={"display_name": f"{len({ref.step for ref in gathered.refs})} results"},
        cached=False,
    )
    inputs["artifacts"][GATHERED] = INPUT
    inputs["parameters"][GATHERED] = {"parameterType": "STRUCT", "isOptional": True}
    taken["parameters"][GATHERED] = {"runtimeValue": {"constant": listed}}
    taken["artifacts"][GATHERED] = {
        "taskOutputArtifact": {"producerTask": importer.task, "outputArtifactKey": GATHERED}
    }
    task["dependentTasks"] = sorted(
        {one["taskOutputArtifact"]["producerTask"] for one in taken["artifacts"].values()}
    )
    _put_importer(pipeline, importer)
    _drop_unread(pipeline)


def _put_importer(pipeline: Json, importer: Importer) -> None:
    pipeline["root"]["dag"]["tasks"][importer.task] = importer.task_json()
    pipeline["components"][f"comp-{importer.task}"] = importer.component_json()
    pipeline["deploymentSpec"]["executors"][f"exec-{importer.task}"] = importer.executor_json()


def _drop_unread(pipeline: Json) -> None:
    """Remove the importers that no task reads from any more."""
    tasks: Json = pipeline["root"]["dag"]["tasks"]
    executors: Json = pipeline["deploymentSpec"]["executors"]
    read = {name for task in tasks.values() for name in task.get("dependentTasks", ())}
    for name in [name for name in tasks if name not in read]:
        if "importer" in executors.get(f"exec-{name}", {}):
            del tasks[name], pipeline["components"][f"comp-{name}"], executors[f"exec-{name}"]


def _in_many(step: Step) -> list[Ref]:
    """Return what enters inputs that take many."""
    return [ref for flow in step.inputs.values() if isinstance(flow, tuple) for ref in flow]
