"""The embedded engine: steps are child processes of this machine."""

from __future__ import annotations

from collections.abc import Mapping

from components.contract.images import PRELOADED, component_environment
from components.contract.types import ImageName
from pipelines.engines.machine.processes import Processes
from pipelines.engines.machine.reaching import users_environment
from pipelines.engines.machine.runner import Ended, Job
from pipelines.runs.graph import Graph, Step


class LocalRunner:
    """The ``Runner`` without containers.

    Args:
        preloaded: What the zygote of each image imports before it serves.
    """

    name = "local"

    def __init__(self, preloaded: Mapping[ImageName, tuple[str, ...]] = PRELOADED) -> None:
        self._processes = Processes(preloaded)

    def prepare(self, graph: Graph) -> None:
        """See ``Runner``."""
        for step in graph.steps:
            self.environment(step)

    def run(self, job: Job) -> Ended:
        """See ``Runner``."""
        return self._processes.run(
            job.step.image,
            job.arguments(job.gpu),
            job.folder,
            job.log,
            memory_gb=job.step.memory_gb,
            time_limit_s=job.step.time_limit_s,
            environment=users_environment(job.step),
        )

    def environment(self, step: Step) -> str:
        """See ``Runner``."""
        return component_environment(step.component, step.image)

    def image_digest(self, step: Step) -> str | None:  # noqa: ARG002
        """See ``Runner``."""
        return None

    def cancel(self) -> None:
        """See ``Runner``."""
        self._processes.cancel()

    def close(self) -> None:
        """See ``Runner``."""
        self._processes.close()
