"""Volumes that pods see: claims and secrets of the cluster, and the one that Kubeflow makes for a run.

A folder of this machine stands for a volume; a link below the folder of a pod mounts it.
kubeflow/pipelines ``backend/src/v2/driver``: ``k8s.go`` (makeVolumeMountPatch) and ``driver.go``
(needsWorkspaceMount, getWorkspaceMount).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as pb

from tests.servers.kfp.faults import TaskFailedError

WORKSPACE = "/kfp-workspace"
SECRETS = "secrets"
PLACEHOLDER = "{{$.workspace_path}}"


@dataclass(frozen=True)
class Volumes:
    """The volumes that one run sees.

    Attributes:
        folder: With a folder for each claim, and in SECRETS one for each secret.
        platform: What Kubernetes alone understands of the pipeline.
        run: Folder of the run's own volume, in ``folder``.
    """

    folder: Path
    platform: Mapping[str, Any]
    run: str

    def resolve(self, given: pb.ExecutorInput) -> None:
        """driver/resolve.go: what stands for the workspace's folder becomes its name."""
        for value in given.inputs.parameter_values.values():
            if value.WhichOneof("kind") == "string_value":
                value.string_value = value.string_value.replace(PLACEHOLDER, WORKSPACE)

    def mount(self, pod: Path, executor: str, given: pb.ExecutorInput) -> None:
        """Mount what a pod asks for below its folder.

        Raises:
            TaskFailedError: A claim, a secret or the run's volume is not there: the pod stays
                pending.
        """
        kubernetes = self.platform.get("platforms", {}).get("kubernetes", {})
        pods = kubernetes.get("deploymentSpec", {}).get("executors", {})
        for mounted in pods.get(executor, {}).get("pvcMount", ()):
            claim = mounted["pvcNameParameter"]["runtimeValue"]["constant"]
            if not (self.folder / claim).is_dir():
                raise TaskFailedError(f'persistentvolumeclaim "{claim}" not found')
            _link(pod, mounted["mountPath"], self.folder / claim)
        for mounted in pods.get(executor, {}).get("secretAsVolume", ()):
            secret = mounted["secretNameParameter"]["runtimeValue"]["constant"]
            if not (self.folder / SECRETS / secret).is_dir():
                raise TaskFailedError(f'MountVolume.SetUp failed: secret "{secret}" not found')
            _link(pod, mounted["mountPath"], self.folder / SECRETS / secret)
        if WORKSPACE in json_format.MessageToJson(given.inputs):
            if not kubernetes.get("pipelineConfig", {}).get("workspace", {}).get("size"):
                raise TaskFailedError(f'persistentvolumeclaim "{self.run}-kfp-workspace" not found')
            own = self.folder / f"{self.run}-kfp-workspace"
            own.mkdir(exist_ok=True)
            _link(pod, WORKSPACE, own)


def _link(pod: Path, path: str, volume: Path) -> None:
    place = pod / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(volume, target_is_directory=True)
