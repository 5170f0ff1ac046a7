"""The workspace of a run: a volume that holds the Dataset once, in place of a copy in every pod.

The launcher copies each input artifact into each pod (component/launcher_v2.go,
``downloadArtifacts``). With a workspace one task more, ``workspace-dataset``, gets the Dataset so
and puts it on the volume; the tasks that read it get what that task made: a statement and some
hundred bytes that say where. The Dataset stays in the bucket as well, where its record and other
runs find it.

The volume is a claim of the cluster's, mounted as ``pvcMount``, or the one that Kubeflow makes for
a run (``pipelineConfig.workspace``, from 2.15 on), which a pod gets whose parameters name it
(driver/driver.go, ``needsWorkspaceMount``). Neither can be mounted read-only for a task, so the
files are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from components.contract.errors import UserError
from components.contract.results import PORTS
from components.contract.types import ImageName
from components.contract.workspace import WORKSPACE
from pipelines.config.kubeflow import Kubeflow
from pipelines.config.kubeflow_workspace import MOUNT, Workspace
from pipelines.engines.kubeflow.ir.component_spec import INPUT, Json, artifact_of, schema
from pipelines.engines.kubeflow.ir.container_spec import container
from pipelines.engines.kubeflow.ir.pod_spec import surroundings
from pipelines.engines.kubeflow.ir.result_layout import layout_of_step
from pipelines.engines.kubeflow.ir.servers import ServerVersion
from pipelines.runs.graph import Graph, Ref, Step

PLATFORM_MOUNT = "{{$.workspace_path}}"
"""What the driver replaces by the folder where it mounts the run's own volume."""

_TASK = "workspace-"
_READERS = 2
"""Fewer, and a copy on a volume saves nothing."""
LIFE_S = 7200
"""How long the pod may live that puts it there."""
_CORES, _MEMORY_GB = 1.0, 1.0


@dataclass(frozen=True)
class Staging:
    """A task that puts one Dataset on the volume.

    Attributes:
        artifact: The result that holds it.
        output: Which output of that step it is.
        workspace: Where to.
    """

    artifact: Ref
    output: str
    workspace: Workspace

    @property
    def task(self) -> str:
        """Name of the task."""
        return f"{_TASK}{self.artifact.output.replace('_', '-')}"

    def component_json(self) -> Json:
        """Return its component."""
        optional = {"parameterType": "STRING", "isOptional": True}
        return {
            "executorLabel": f"exec-{self.task}",
            "inputDefinitions": {
                "artifacts": {self.output: INPUT},
                "parameters": {
                    PORTS: {"parameterType": "STRUCT", "isOptional": True},
                    WORKSPACE: optional,
                },
            },
            "outputDefinitions": {
                "artifacts": {self.artifact.output: {"artifactType": schema(None)}}
            },
        }

    def executor_json(self, settings: Kubeflow, images: Mapping[ImageName, str]) -> Json:
        """Return its executor, which needs nothing but the standard library and our contract."""
        made = container(
            images["light"],
            "components.contract.staging",
            ["--result", self.artifact.output, "--executor-input", "{{$}}"],
            settings,
            cpu=_CORES,
            memory_gb=_MEMORY_GB,
        )
        return {"container": made}

    def task_json(self, producer: tuple[str, str], retry: Json | None, *, cached: bool) -> Json:
        """Return its task.

        Args:
            producer: The task and the output that the Dataset comes from.
            retry: How it is tried again, or None.
            cached: Whether the cluster may take results of earlier runs. Of this task it may where
                the volume stays when the run has ended.
        """
        name, output = producer
        values = {PORTS: {self.output: self.output}, WORKSPACE: mounted_at(self.workspace)}
        task: Json = {
            "taskInfo": {"name": self.task},
            "componentRef": {"name": f"comp-{self.task}"},
            "cachingOptions": {"enableCache": True} if cached and self.workspace.claim else {},
            "dependentTasks": [name],
            "inputs": {
                "artifacts": {
                    self.output: {
                        "taskOutputArtifact": {"producerTask": name, "outputArtifactKey": output}
                    }
                },
                "parameters": {
                    each: {"runtimeValue": {"constant": value}} for each, value in values.items()
                },
            },
        }
        return {**task, "retryPolicy": retry} if retry else task

    def pod_json(self, settings: Kubeflow) -> Json:
        """Return the Kubernetes configuration of its pod."""
        life = {"activeDeadlineSeconds": str(LIFE_S)}
        return {**life, **surroundings(settings), **mounts(self.workspace)}


def stagings(graph: Graph, running: Collection[str], settings: Kubeflow) -> Mapping[Ref, Staging]:
    """Return by result the task that puts its Dataset on the volume; none without a workspace.

    All readers of such a result get what that task made, also those of its other outputs: whoever
    wants the report of ``ingest`` is spared the images as well.

    Args:
        graph: The whole graph.
        running: Names of the steps that are compiled.
        settings: The section `kubeflow`.
    """
    if settings.workspace is None:
        return {}
    readers: Counter[Ref] = Counter()
    for step in graph.steps:
        if step.name in running:
            readers.update({ref for ref in step.refs if _is_dataset(ref, graph)})
    found: dict[Ref, Staging] = {}
    for ref, count in readers.items():
        if count >= _READERS:
            artifact = Ref(ref.step, artifact_of(ref, graph))
            found[artifact] = Staging(artifact, ref.output, settings.workspace)
    return found


def check(settings: Kubeflow, version: ServerVersion | None) -> None:
    """Refuse what a server does not know, and would leave out without a word.

    Args:
        settings: The section `kubeflow`.
        version: Of the server; None where it is not known, which is taken for one that does.

    Raises:
        UserError: It makes no volumes for runs.
    """
    asked = settings.workspace is not None and settings.workspace.size is not None
    if asked and version is not None and not version.workspace:
        raise UserError(
            f"kubeflow.workspace.size: Kubeflow Pipelines {version} makes no volume for a run; "
            "2.15 and newer do",
            "make a claim (kubectl create -f), and write workspace: {claim: NAME}",
        )


def parameters_of(step: Step, staged: Mapping[Ref, Staging]) -> dict[str, Any]:
    """Return what a step is told of the workspace: where it is, if the step reads from there."""
    workspace = _read_by(step, staged)
    return {WORKSPACE: mounted_at(workspace)} if workspace else {}


def mounts_of(step: Step, staged: Mapping[Ref, Staging]) -> Json:
    """Return what Kubernetes has to mount for a step."""
    workspace = _read_by(step, staged)
    return mounts(workspace) if workspace else {}


def _read_by(step: Step, staged: Mapping[Ref, Staging]) -> Workspace | None:
    datasets = {Ref(one.artifact.step, one.output): one.workspace for one in staged.values()}
    return next((datasets[ref] for ref in step.refs if ref in datasets), None)


def mounted_at(workspace: Workspace) -> str:
    """Return the folder that pods see the volume at, as parameters say it."""
    return MOUNT if workspace.claim else PLATFORM_MOUNT


def mounts(workspace: Workspace) -> Json:
    """Return the mount of a claim; of its own volume Kubeflow knows by itself."""
    if not workspace.claim:
        return {}
    name = workspace.claim
    # Named in the old and in the new way: servers of both kinds are about.
    named = {"constant": name, "pvcNameParameter": {"runtimeValue": {"constant": name}}}
    return {"pvcMount": [{**named, "mountPath": MOUNT}]}


def platform_json(settings: Kubeflow) -> Json:
    """Return what makes Kubeflow give every run a volume of its own, or nothing."""
    workspace = settings.workspace
    if workspace is None or workspace.size is None:
        return {}
    patch: Json = {"accessModes": list(workspace.access_modes)}
    if workspace.storage_class:
        patch["storageClassName"] = workspace.storage_class
    volume = {"size": workspace.size, "kubernetes": {"pvcSpecPatch": patch}}
    return {"pipelineConfig": {"workspace": volume}}


def _is_dataset(ref: Ref, graph: Graph) -> bool:
    """Whether an output is a Dataset for everybody: the sealed one is an artifact of its own."""
    producer = graph.by_name[ref.step]
    kinds = {port.name: port.kind for port in producer.interface.outputs}
    return kinds[ref.output] == "Dataset" and ref.output not in layout_of_step(producer).beside
