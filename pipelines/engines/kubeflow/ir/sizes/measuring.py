"""How many bytes a compiled pipeline takes on a server of some version."""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import dataclass

from pipelines.engines.kubeflow.ir.component_spec import Json
from pipelines.engines.kubeflow.ir.servers import ServerVersion
from pipelines.engines.kubeflow.ir.sizes.back_end import back_end_of
from pipelines.engines.kubeflow.ir.sizes.launches import Launches
from pipelines.engines.kubeflow.ir.sizes.node_status import NodeStatus
from pipelines.engines.kubeflow.ir.sizes.texts import compact, plain, size, sorted_json
from pipelines.engines.kubeflow.ir.sizes.workflow_spec import root_argument, spec_bytes

_TEMPLATE_BYTES = 1_750
"""Of the template of a pod, without what its task gives it."""
_SPACED = ", "
_GZIP_LEVEL = 6
"""What Argo compresses with says no level, which is this one."""


@dataclass(frozen=True)
class Sizes:
    """What a pipeline takes on a server.

    Attributes:
        version: Of the server.
        steps: How many steps there are.
        tasks: The same with the importers.
        spec_bytes: The Workflow beside its status.
        status_bytes: The status of its nodes when all have run.
        compressed_bytes: The same as Argo compresses it.
        root_bytes: The whole root as its driver is told of it.
        template_bytes: The largest template of a pod.
        input_step: The step that is told most.
        input_bytes: How much it is told.
    """

    version: ServerVersion
    steps: int
    tasks: int
    spec_bytes: int
    status_bytes: int
    compressed_bytes: int
    root_bytes: int
    template_bytes: int
    input_step: str
    input_bytes: int

    @property
    def pods(self) -> int:
        """How many pods there are: two a step, one an importer, one for the whole."""
        return self.steps + self.tasks + 1

    @property
    def workflow_bytes(self) -> int:
        """The Workflow at its end, where its status has to be compressed."""
        return self.spec_bytes + self.compressed_bytes


def sizes_of(spec: Json, platform: Json, version: ServerVersion) -> Sizes:
    """Return what a pipeline takes.

    Args:
        spec: The compiled pipeline.
        platform: What Kubernetes alone understands of it.
        version: Of the server.
    """
    launches = Launches(spec, platform, back_end_of(version))
    status = NodeStatus(launches)
    text = status.text().encode()
    results = status.results_bytes()
    compressed = len(base64.b64encode(gzip.compress(text, _GZIP_LEVEL)))
    steps = [name for name, task in launches.tasks.items() if launches.is_step(task)]
    told = {
        name: size(compact(plain(launches.executor_input(name, complete=True)), _SPACED))
        for name in steps
    }
    most = max(steps, key=lambda name: (told[name], name))
    return Sizes(
        version=version,
        steps=len(steps),
        tasks=len(launches.tasks),
        spec_bytes=spec_bytes(launches) + results,
        status_bytes=len(text),
        compressed_bytes=compressed,
        root_bytes=size(root_argument(launches)),
        template_bytes=_template_bytes(launches, steps),
        input_step=most,
        input_bytes=told[most],
    )


def _template_bytes(launches: Launches, steps: list[str]) -> int:
    """Return the bytes of the largest template, which holds twice what its task gives it.

    Once among its inputs, once where they are used.
    """
    largest = _escaped(root_argument(launches))
    for name in steps:
        task = launches.tasks[name]
        driver = (launches.component(task), task, launches.executor(task)["container"])
        driven = sum(_escaped(sorted_json(plain(one))) for one in driver)
        largest = max(largest, driven, _escaped(launches.pod_spec_patches[name]))
    return _TEMPLATE_BYTES + 2 * largest


def _escaped(text: str) -> int:
    """Return the bytes of a text as a value in JSON."""
    return size(json.dumps(text, ensure_ascii=False))
