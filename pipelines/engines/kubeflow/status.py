"""Tasks: what the API tells of a run while it goes on, in the words of the graph.

A step is three nodes there: a driver, a graph with the step's name, and in it an ``executor``,
which is skipped when the result was cached.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from pipelines.engines.kubeflow.connection import Resource

Outcome = Literal["running", "done", "failed", "cancelled"]

FINAL = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")
"""States of a run, or of a task, that nothing follows."""

_CAUSES: tuple[tuple[str, str, bool], ...] = (
    (r"exit code 2\b", "refused what it was given; its log says what and what to do", True),
    (r"OOMKilled|exit code 137\b", "took more memory than its pod may", True),
    (r"DeadlineExceeded|deadline", "ran longer than its pod may live", True),
    (r"ImagePull|ErrImage|InvalidImage", "its image cannot be pulled from the cluster", True),
    (r"Unschedulable|Insufficient", "no node has what it asks for", True),
    (r"exceeded quota", "asks for more than the quota of the namespace leaves", True),
    (r"exit code 1\b", "ended with a bug of slimline; its log has the traceback", False),
)
_FIXES = {
    "its image cannot be pulled from the cluster": (
        "slimline images push REGISTRY, and name under kubeflow the image_pull_secrets that the "
        "registry wants"
    ),
    "took more memory than its pod may": "raise memory_gb of its component in kubeflow.resources",
    "ran longer than its pod may live": "raise minutes of its component in kubeflow.resources",
}


def states(run: Resource) -> Mapping[str, str]:
    """Return the state of every task by its name."""
    return {task.display_name: task.state for task in _details(run)}


def cached(run: Resource) -> set[str]:
    """Return the names of tasks that were not executed because their result was there."""
    details = _details(run)
    skipped = {task.pod_name for task in details if task.state == "SKIPPED"}
    return {
        task.display_name
        for task in details
        if task.state == "SKIPPED"
        or any(child.pod_name in skipped for child in _list(task.child_tasks))
    }


def _details(run: Resource) -> list[Resource]:
    return _list(run.run_details and run.run_details.task_details)


def _list(value: Resource) -> list[Resource]:
    return list(value or ())


def wall_s(run: Resource, step: str) -> float | None:
    """Return how long the cluster spent on a task, in seconds, or None where it does not say."""
    for task in _details(run):
        if task.display_name == step and task.start_time and task.end_time:
            return max(0.0, (task.end_time - task.start_time).total_seconds())
    return None


def outcome_of(run: Resource) -> Outcome:
    """Return how a run ended."""
    if run.state == "SUCCEEDED":
        return "done"
    return "cancelled" if run.state == "CANCELED" else "failed"


def failure(run: Resource, step: str, page: str) -> tuple[str, str, bool]:
    """Return what happened to a task that failed, what to do, and whether it is the user's to do.

    The pod's log is the cluster's: nothing of a step that failed is uploaded.
    """
    stated = " ".join(
        task.error.message
        for task in _details(run)
        if task.display_name == step and task.error and task.error.message
    )
    look = f"look at its log: {page}"
    for pattern, what, user_fault in _CAUSES:
        if re.search(pattern, stated):
            return f"{step}: {what} ({stated})", _FIXES.get(what, look), user_fault
    return f"{step}: failed in the cluster{f' ({stated})' if stated else ''}", look, True
