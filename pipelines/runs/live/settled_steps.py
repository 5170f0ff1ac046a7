"""How the steps of a run ended, in the form of its record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from pipelines.runs.graph import Graph
from pipelines.runs.live.events import StepDone, StepFailed, StepSkipped

Settled = StepDone | StepFailed | StepSkipped
"""How a step of a run ended."""


def settled_json(event: Settled) -> dict[str, object]:
    """Return how a step ended in the form of a run's record."""
    match event:
        case StepDone():
            state = "cached" if event.cached else "done"
        case StepFailed():
            state = "failed"
        case StepSkipped():
            state = "cancelled" if event.cancelled else "skipped"
    content = asdict(event)
    del content["step"]
    content.pop("cancelled", None)
    return {"state": state, **content}


def critical_path(graph: Graph, steps: Mapping[str, Settled]) -> float:
    """Return the sum of function times, in seconds, along the longest path through the graph."""
    took = {name: event.function_s for name, event in steps.items() if isinstance(event, StepDone)}
    return longest_path(graph, took)[1]


def longest_path(graph: Graph, took_s: Mapping[str, float]) -> tuple[list[str], float]:
    """Return the steps of the longest path through a graph, and how long it takes in seconds.

    Args:
        graph: Which graph.
        took_s: What each step took; the others took nothing.
    """
    finish: dict[str, float] = {}
    before: dict[str, str | None] = {}
    for step in graph.ordered:
        last = max((ref.step for ref in step.refs), key=lambda name: finish[name], default=None)
        before[step.name] = last
        finish[step.name] = took_s.get(step.name, 0.0) + (finish[last] if last else 0.0)
    end = max(finish, key=lambda name: finish[name], default=None)
    length_s = finish[end] if end else 0.0
    path: list[str] = []
    while end:
        path.append(end)
        end = before[end]
    return path[::-1], length_s
