"""The container of a pod: what runs in it, how much of a node it gets, and its environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.config.kubeflow import Kubeflow
from pipelines.engines.kubeflow.ir.component_spec import Json

_NO_ACCELERATOR: Mapping[str, Any] = {}
_NO_ENVIRONMENT: Mapping[str, str] = {}


def container(
    image: str,
    module: str,
    args: Sequence[str],
    settings: Kubeflow,
    *,
    cpu: float,
    memory_gb: float,
    accelerator: Mapping[str, Any] = _NO_ACCELERATOR,
    environment: Mapping[str, str] = _NO_ENVIRONMENT,
) -> Json:
    """Return a container that is given as much as it may take, so that no pod is evicted for it.

    Numbers stand beside text, the older form, which Vertex AI and older servers read.

    Args:
        image: Its name with digest.
        module: What Python runs in it.
        args: What the module is called with.
        settings: The section `kubeflow`.
        cpu: Cores.
        memory_gb: In 1e9 bytes.
        accelerator: See ``gpus.resources``.
        environment: Variables beside those of the settings.
    """
    cores, memory = f"{1000 * cpu:.0f}m", f"{1000 * memory_gb:.0f}M"
    resources: Json = {
        "cpuRequest": cpu, "cpuLimit": cpu,
        "memoryRequest": memory_gb, "memoryLimit": memory_gb,
        "resourceCpuRequest": cores, "resourceCpuLimit": cores,
        "resourceMemoryRequest": memory, "resourceMemoryLimit": memory,
    }  # fmt: skip
    made: Json = {
        "image": image,
        "command": ["python", "-m", module],
        "args": list(args),
        "resources": {**resources, **accelerator},
    }
    if variables := {**settings.environment, **environment}:
        made["env"] = [{"name": name, "value": value} for name, value in sorted(variables.items())]
    return made
