"""Pods: what the pods of a task are called, which the API never says.

Argo names a node by its path through the Workflow (``WORKFLOW.root.X.executor(0)``), identifies it
by the hash of that path, and calls its pod by Workflow, template and the same hash
(argo-workflows, workflow/util/pod_name.go). The API shows the hashes of all nodes that something
comes before. So a path is guessed, and proved by its hash.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.engines.kubeflow.api.connection import Resource
from pipelines.engines.kubeflow.watching.status import (
    DRIVER,
    ROOT,
    node_ids,
    tried_whole,
    workflow_of,
)

_ATTEMPTS = 8
"""No node is looked for that was tried more often."""

_OFFSET, _PRIME, _BITS = 0x811C9DC5, 0x01000193, 0xFFFFFFFF

_EXECUTORS = (
    "retry-system-container-impl",
    "{task}-system-container-impl",
    "system-container-impl",
)
"""Templates of the pods that run components: from 2.14 on, before, and without a retry policy."""


@dataclass(frozen=True)
class Pod:
    """A pod that the cluster has or had.

    Attributes:
        number: What its name ends in.
        names: What it may be called, by the version of the server, likely names first.
    """

    number: str
    names: Sequence[str]

    def kubectl(self, namespace: str) -> str:
        """Return the command that prints its log, whichever of the names it has."""
        found = f"$(kubectl get pods -n {namespace} -o name | grep -- '-{self.number}$')"
        return f"kubectl logs -n {namespace} -c main {found}"


def pods_of(run: Resource, task: str, *, importer: bool = False) -> list[Pod]:
    """Return the pods of a task, the newest attempt first.

    Args:
        run: The run as the API tells of it.
        task: A step, the driver of one (``X-driver``), ``root-driver``, or an importer.
        importer: It is the latter.
    """
    workflow = workflow_of(run)
    if workflow is None:
        return []
    tried = tried_whole(run)
    starts = _attempts(workflow) if tried else [workflow]
    if task == f"{ROOT}{DRIVER}":
        templates, paths = ["system-dag-driver"], [f"{start}.{task}" for start in starts]
    else:
        roots = [f"{start}.{ROOT}" for start in starts]
        if tried:
            roots = [attempt for root in roots for attempt in _attempts(root)]
        paths = [f"{root}.{task}" for root in roots]
        if importer:
            templates = ["system-importer"]
        elif task.endswith(DRIVER):
            templates = ["system-container-driver"]
        else:
            templates = [template.format(task=task) for template in _EXECUTORS]
            inner = [path for one in paths for path in (_attempts(one) if tried else [one])]
            paths = [f"{path}.executor" for path in inner]
    known = node_ids(run)
    nodes = [node for path in paths for node in (path, *_attempts(path))]
    proved = [node for node in nodes if f"{workflow}-{hashed(node)}" in known]
    # Where a node has attempts, they have the pods; a list that stands still proves nothing.
    proved = [node for node in proved if f"{node}(0)" not in proved] or [f"{paths[0]}(0)"]
    numbers = [str(hashed(node)) for node in proved]
    return [
        Pod(number, [f"{workflow}-{template}-{number}" for template in templates])
        for number in numbers[::-1]
    ]


def hashed(path: str) -> int:
    """Return the hash of a node's path: FNV-1a, 32 bits."""
    value = _OFFSET
    for byte in path.encode():
        value = ((value ^ byte) * _PRIME) & _BITS
    return value


def _attempts(path: str) -> list[str]:
    return [f"{path}({number})" for number in range(_ATTEMPTS)]
