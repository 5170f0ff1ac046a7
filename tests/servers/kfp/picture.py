"""The picture of a run in the pipeline UI: a node for each task and for each of its artifacts."""

from __future__ import annotations

from typing import Any

import yaml

from pipelines.runs.graph import Graph


def nodes(text: str) -> int:
    """Return how many nodes the pipeline UI draws of a compiled pipeline."""
    pipeline: dict[str, Any] = next(iter(yaml.safe_load_all(text)))
    components = pipeline["components"]
    return sum(
        1 + len(components[task["componentRef"]["name"]]["outputDefinitions"]["artifacts"])
        for task in pipeline["root"]["dag"]["tasks"].values()
    )


def earlier_nodes(graph: Graph) -> int:
    """Return how many there were when each output was an artifact, and so was the statement."""
    return 2 * len(graph.sources) + sum(1 + len(step.interface.outputs) + 1 for step in graph.steps)
