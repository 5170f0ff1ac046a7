"""How the steps of a run ended, in the form of its record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from pipelines.runs.events import StepDone, StepFailed, StepSkipped
from pipelines.runs.graph import Graph

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
    finish: dict[str, float] = {}
    for step in graph.ordered:
        event = steps.get(step.name)
        own = event.function_s if isinstance(event, StepDone) else 0.0
        finish[step.name] = own + max((finish[ref.step] for ref in step.refs), default=0.0)
    return max(finish.values(), default=0.0)
