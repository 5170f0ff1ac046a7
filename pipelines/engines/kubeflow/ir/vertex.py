"""What Vertex AI Pipelines takes of a compiled pipeline, as its documentation says."""

from __future__ import annotations

import re

from components.contract.errors import UserError
from pipelines.config.kubeflow import Kubeflow, Resources
from pipelines.runs.graph import Graph

_NAME = re.compile(r"[a-z][-a-z0-9]{0,127}")
_CORES_MAX = 96
_MEMORY_GB_MAX = 624
_ACCELERATOR = re.compile(r"(NVIDIA|TPU)_[A-Z0-9_]+")


def check(graph: Graph, settings: Kubeflow) -> None:
    """Refuse what would be rejected there, or dropped without a word.

    Vertex AI has no Kubernetes that a user could see: of the section `kubeflow` it knows images,
    cores, memory, accelerators, environment, retries and caching. Its pods run as long as they
    need; the service account is named when a run is submitted.

    Raises:
        UserError: Something is asked for that Vertex AI does not have.
    """
    if not _NAME.fullmatch(graph.name):
        raise UserError(
            f"name: Vertex AI wants a letter first, and {graph.name!r} begins with a digit",
            f"call it {f'run-{graph.name}'!r}",
        )
    if not settings.pipeline_root.startswith("gs://"):
        raise UserError(
            f"kubeflow.pipeline_root: Vertex AI keeps artifacts in gs:// alone, not in "
            f"{settings.pipeline_root}",
            "write pipeline_root: gs://BUCKET/pipelines",
        )
    for key in ("secrets", "image_pull_secrets"):
        if getattr(settings, key):
            raise UserError(
                f"kubeflow.{key}: Vertex AI has no Kubernetes secrets",
                "grant the service account what it needs, and compile from a configuration "
                f"without {key}",
            )
    if settings.workspace:
        raise UserError(
            "kubeflow.workspace: Vertex AI has no volumes of Kubernetes",
            "compile from a configuration without workspace",
        )
    _check_devices(graph)
    for name, resources in settings.resources.items():
        _check_resources(name, resources)
    for step in graph.steps:
        given = settings.resources.get(step.component, Resources())
        if step.gpu and not given.accelerator:
            raise UserError(
                f"{step.name} was given a GPU, and nothing says which: Vertex AI has several",
                f"write kubeflow: {{resources: {{{step.component}: {{accelerator: NVIDIA_L4}}}}}}, "
                "for example",
            )
        cores, memory_gb = given.cpu or step.threads, given.memory_gb or step.memory_gb
        if cores > _CORES_MAX or memory_gb > _MEMORY_GB_MAX:
            raise UserError(
                f"{step.name} asks for {cores:g} cores and {memory_gb:g} GB; Vertex AI gives at "
                f"most {_CORES_MAX} and {_MEMORY_GB_MAX}",
                f"lower it in kubeflow.resources.{step.component}",
            )


def _check_devices(graph: Graph) -> None:
    for device in sorted({step.device or "" for step in graph.steps if step.elsewhere}):
        raise UserError(
            f"devices: machines of Vertex AI cannot reach {device}: a key for ssh would come from "
            "a secret of Kubernetes, and there is none (kubeflow.devices is for Kubeflow alone)",
            f"measure on it with --engine local, or leave it out: --without {device}",
        )


def _check_resources(name: str, resources: Resources) -> None:
    place = f"kubeflow.resources.{name}"
    for key in ("node_selector", "tolerations"):
        if getattr(resources, key):
            raise UserError(
                f"{place}.{key}: Vertex AI has no nodes to choose from",
                f"compile from a configuration without {key}; machines follow from cores, memory "
                "and accelerator",
            )
    if resources.accelerator and not _ACCELERATOR.fullmatch(resources.accelerator):
        raise UserError(
            f"{place}.accelerator: {resources.accelerator!r} is no accelerator of Vertex AI",
            "name one of its AcceleratorType, such as NVIDIA_TESLA_T4 or NVIDIA_L4",
        )
