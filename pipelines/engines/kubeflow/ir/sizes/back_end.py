"""What the versions of Kubeflow Pipelines make of a pipeline: in what they differ in bytes.

Held against Workflows that the real servers made (``tests/pipelines/engines/kubeflow/ir/sizes``).
"""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.engines.kubeflow.ir.servers import NEWEST, ServerVersion


@dataclass(frozen=True)
class BackEnd:
    """A range of versions that make the same of a pipeline.

    Attributes:
        since: The first of these versions.
        frame_bytes: What a Workflow takes whatever its graph is, without the names in it.
        templates_of_tasks: Whether each task that is tried again has templates of its own.
        task_names: Whether tasks tell their drivers their names by themselves.
        counts_results: Whether the status has a line for every pod whose result arrived.
        retries_all: Whether Argo puts a node above every node, which tries it again.
        named_outputs: Whether the executor input names outputs, and puts its file beside them.
        separator: What its JSON has between two members.
        logs: Where in the bucket of the installation the logs of pods are kept.
        root_in_argument: Whether the whole root has to fit into one argument of its driver.
        template_in_variable: Whether the whole template of a pod has to fit into one variable.
    """

    since: ServerVersion
    frame_bytes: int
    templates_of_tasks: bool = False
    task_names: bool = True
    counts_results: bool = False
    retries_all: bool = False
    named_outputs: bool = True
    separator: str = ", "
    logs: str = "private-artifacts/kubeflow/"
    root_in_argument: bool = True
    template_in_variable: bool = False


BACK_ENDS = (
    BackEnd(
        ServerVersion(2, 5),
        frame_bytes=6_690,
        templates_of_tasks=True,
        task_names=False,
        counts_results=True,
        named_outputs=False,
        separator=",",
        logs="artifacts/",
        template_in_variable=True,
    ),
    BackEnd(
        ServerVersion(2, 14),
        frame_bytes=9_820,
        counts_results=True,
        named_outputs=False,
        separator=",",
        logs="artifacts/",
    ),
    BackEnd(ServerVersion(2, 16), frame_bytes=11_890),
    BackEnd(ServerVersion(2, 17), frame_bytes=12_470, retries_all=True, root_in_argument=False),
)
"""Argo 3.5, 3.6, 3.7 and 4.0. What lies between two of them is like the older one."""


def back_end_of(version: ServerVersion) -> BackEnd:
    """Return what a version makes of a pipeline; a newer one than is known is like the newest."""
    known = [one for one in BACK_ENDS if one.since <= min(version, NEWEST)]
    return known[-1] if known else BACK_ENDS[0]
