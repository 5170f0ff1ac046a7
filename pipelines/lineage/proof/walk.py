"""The steps that a release was made by, from the last one up to the user's files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from pipelines.runs.graph import Flow, Graph, Ref, SourceRef, Step, refs_in
from pipelines.runs.keys import InputDigest
from pipelines.runs.records import RunRecord

RELEASED = "publish"
"""The step whose output is the release."""


def outputs_of(record: RunRecord, step: str) -> Mapping[str, str]:
    """Return the tree digest of every output of a step; empty where it made none, or is none."""
    found: Any = record.steps.get(step, {}).get("outputs") or {}
    return cast("Mapping[str, str]", found)


@dataclass(frozen=True)
class RunSteps:
    """What a run says of its steps, and how they hang together.

    Attributes:
        record: Of the run.
        graph: Its graph; None where the store holds none.
    """

    record: RunRecord
    graph: Graph | None

    def outputs(self, step: str) -> Mapping[str, str]:
        """Return the tree digest of every output of a step, as the run's record has it."""
        return outputs_of(self.record, step)

    def planned(self, step: str) -> Step | None:
        """Return the step of the graph; None without a graph."""
        return self.graph.by_name.get(step) if self.graph else None

    def expected_inputs(self, step: str) -> Mapping[str, InputDigest] | None:
        """Return what must have entered a step: what the steps before it have made.

        None without a graph, and where a step before has made nothing.
        """
        planned = self.planned(step)
        if planned is None:
            return None
        try:
            return {port: self._of(flow) for port, flow in planned.inputs.items()}
        except KeyError:
            return None

    def _of(self, flow: Flow) -> InputDigest:
        if isinstance(flow, tuple):
            return [self.outputs(ref.step)[ref.output] for ref in flow]
        if isinstance(flow, SourceRef):
            return self.record.sources[flow.name]
        return self.outputs(flow.step)[flow.output] if isinstance(flow, Ref) else None

    def makers(self) -> dict[str, list[str]]:
        """Return by tree digest the steps that made it."""
        found: dict[str, list[str]] = {}
        for name in self.record.steps:
            for tree in self.outputs(name).values():
                found.setdefault(tree, []).append(name)
        return found


def steps_up(
    steps: RunSteps, inputs: Mapping[str, Mapping[str, object]], ends: Sequence[str]
) -> list[str]:
    """Return the steps that lead to some, nearest first: each stands before all that it needs.

    Args:
        steps: Of the run.
        inputs: By step what its record says entered it; only used where there is no graph.
        ends: Where to begin.
    """
    if steps.graph:
        planned = steps.graph.by_name
        before = {
            name: [ref.step for flow in step.inputs.values() for ref in refs_in(flow)]
            for name, step in planned.items()
        }
    else:
        makers = steps.makers()
        before = {
            name: [step for item in digests_in(given) for step in makers.get(item, ())]
            for name, given in inputs.items()
        }
    reached: dict[str, None] = {}
    waiting = [name for name in ends if name in steps.record.steps]
    while waiting:
        name = waiting.pop()
        if name not in reached and name in steps.record.steps:
            reached[name] = None
            waiting += [other for other in before.get(name, ()) if other != name]
    return _nearest_first(list(reached), before)


def _nearest_first(names: list[str], before: Mapping[str, Sequence[str]]) -> list[str]:
    """Order steps such that each stands before all that it needs."""
    depth: dict[str, int] = {}

    def visit(name: str, path: frozenset[str]) -> int:
        if name not in depth and name not in path:
            needs = [other for other in before.get(name, ()) if other in names]
            depth[name] = 1 + max((visit(one, path | {name}) for one in needs), default=0)
        return depth.get(name, 0)  # on a way round, which a damaged record may claim

    for name in names:
        visit(name, frozenset())
    return sorted(names, key=lambda name: (-depth[name], name))


def digests_in(inputs: Mapping[str, object]) -> Iterator[str]:
    """Yield every digest that entered a step."""
    for value in inputs.values():
        for item in cast("list[Any]", value) if isinstance(value, list) else [value]:
            if isinstance(item, str):
                yield item
