"""The GPU of a step's pod, as it is asked of the cluster."""

from __future__ import annotations

from pipelines.config.kubeflow import Resources
from pipelines.engines.kubeflow.ir.component_spec import Json
from pipelines.runs.graph import Step

_RESOURCE = "nvidia.com/gpu"


def resources(step: Step, given: Resources) -> Json:
    """Return the accelerator of a container in the older form and in the newer one, or nothing.

    Args:
        step: The step.
        given: What the configuration says of the pods of its component.
    """
    if not step.gpu:
        return {}
    kind, count = given.accelerator or _RESOURCE, str(given.accelerators)
    return {
        "accelerator": {
            "type": kind, "count": count, "resourceType": kind, "resourceCount": count
        }
    }  # fmt: skip
