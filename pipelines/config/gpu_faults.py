"""GPUs where nothing would compute on them."""

from __future__ import annotations

from collections.abc import Iterator

from components.contract.images import TRAINING
from pipelines.config.configuration import Config
from pipelines.config.faults import Fault


def gpu_faults(config: Config) -> Iterator[Fault]:
    """Check that GPUs are asked for by components that train, and by one key alone."""
    for component, limit in config.limits.items():
        if limit.gpu and component not in TRAINING:
            location = ("limits", component, "gpu")
            what = f"{component} trains nothing, and would leave a GPU idle"
            fix = f"remove gpu there; a GPU speeds up {', '.join(TRAINING)}"
            yield location, f"limits.{component}.gpu: {what}", fix
    if config.kubeflow is None:
        return
    for component, resources in config.kubeflow.resources.items():
        limit = config.limits.get(component)
        if resources.accelerator and not (limit and limit.gpu):
            location = ("kubeflow", "resources", component, "accelerator")
            what = f"{component} steps compute on the CPU, and would leave it idle"
            fix = f"write limits: {{{component}: {{gpu: 1}}}}, or remove accelerator"
            if component not in TRAINING:
                fix = f"remove accelerator; a GPU speeds up {', '.join(TRAINING)}"
            yield location, f"kubeflow.resources.{component}.accelerator: {what}", fix
