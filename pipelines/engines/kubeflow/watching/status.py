"""Status: what the API tells of a run while it goes on, in the words of the graph.

The API shows the nodes of Argo's Workflow. A step ``X`` is a driver (``X-driver``), a graph of its
own (``X``) and in it an ``executor``, a name that says nothing of the step; newer servers show each
of them once more for each attempt (``X(0)``). An importer is one node; ``root-driver``, ``root``
and the Workflow's own node lie above all of them. Rows without a name are launchers'. Only names
count here: nothing else links one row to another.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from pipelines.engines.kubeflow.api.connection import Resource
from pipelines.runs.graph import Graph

Outcome = Literal["running", "done", "failed", "cancelled"]

FINAL = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")
"""States of a run, or of a task, that nothing follows."""

ROOT, DRIVER = "root", "-driver"

_ATTEMPT = re.compile(r"\(\d+\)$")
_EXECUTOR = "executor"


def outcome_of(run: Resource) -> Outcome:
    """Return how a run is.

    One that was cancelled ends as FAILED, like any other that did not succeed; what tells is that
    it was CANCELING when it did.
    """
    match run.state:
        case "SUCCEEDED":
            return "done"
        case "CANCELED" | "SKIPPED":
            return "cancelled"
        case "FAILED":
            states = [entry.state for entry in run.state_history or ()]
            last = max((i for i, state in enumerate(states) if state == "RUNNING"), default=-1)
            return "cancelled" if "CANCELING" in states[last + 1 :] else "failed"
        case _:
            return "running"


def failed_at(run: Resource) -> str:
    """Return when a run failed: what tells one failure of it from the next."""
    moments = [entry.update_time for entry in run.state_history or () if entry.state == "FAILED"]
    return (moments[-1] if moments else run.finished_at).isoformat()


def states(run: Resource) -> Mapping[str, str]:
    """Return the state of every node by its name; those that were left out have none.

    Where a part of the Workflow was tried again, the newest node of a name counts.
    """
    found = {name: task.state for name, task in _newest(run).items()}
    return {name: state for name, state in found.items() if state}


def wall_s(run: Resource, step: str) -> float | None:
    """Return how long the cluster spent on a step, in seconds, or None where it does not say."""
    task = _newest(run).get(step)
    if task is None or not task.start_time or not task.end_time:
        return None
    return max(0.0, (task.end_time - task.start_time).total_seconds())


def workflow_of(run: Resource) -> str | None:
    """Return the name of the run's Workflow, which nodes and pods are named after."""
    for identifier in node_ids(run):
        return identifier.rpartition("-")[0]
    return None


def node_ids(run: Resource) -> set[str]:
    """Return the identifiers of all of Argo's nodes that something says it comes before."""
    children = (child for task in _details(run) for child in task.child_tasks or ())
    return {child.pod_name for child in children if child.pod_name}


def tried_whole(run: Resource) -> bool:
    """Whether the server tries parts of a Workflow again, so that nodes stand there by attempt."""
    return any(task.display_name == f"{ROOT}(0)" for task in _details(run))


def snapshot(run: Resource) -> frozenset[tuple[str, str | None]]:
    """Return names and states of all named nodes: equal as long as the list stands still."""
    return frozenset((task.display_name, task.state) for task in _details(run) if task.display_name)


def stands_still(run: Resource) -> bool:
    """Whether the list says that something goes on, of a run that has ended.

    The server stops updating its list when the Workflow's nodes outgrow what it reads.
    """
    return run.state in FINAL and states(run).get(ROOT) in ("RUNNING", "PENDING")


def failed(run: Resource, graph: Graph) -> Sequence[str]:
    """Return the names of the nodes that failed by themselves, and not because one below did."""
    workflow = workflow_of(run)
    above = {ROOT, workflow, _EXECUTOR}
    found = [name for name, state in states(run).items() if state == "FAILED" and name not in above]
    order = {step.name: number for number, step in enumerate(graph.ordered)}
    return sorted(found, key=lambda name: (order.get(name.removesuffix(DRIVER), -1), name))


def _newest(run: Resource) -> Mapping[str, Resource]:
    """Return the newest node of every name, without those of single attempts."""
    found: dict[str, Resource] = {}
    for task in _details(run):
        name = task.display_name
        if not name or _ATTEMPT.search(name):
            continue
        other = found.get(name)
        if other is None or _began(task) >= _began(other):
            found[name] = task
    return found


def _began(task: Resource) -> float:
    moment = task.start_time or task.create_time
    return moment.timestamp() if moment else 0.0


def _details(run: Resource) -> Sequence[Resource]:
    return (run.run_details and run.run_details.task_details) or ()
