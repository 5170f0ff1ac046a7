"""What differs in the steps of two runs: what they were made of, step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from pipelines.lineage.comparing.differences import Difference, differences
from pipelines.lineage.comparing.kept_lists import KeptLists
from pipelines.lineage.comparing.sides import Side
from pipelines.lineage.index.facts import kinds_of
from pipelines.runs.kept.kept_graphs import counterparts
from pipelines.runs.keys import Ingredients
from pipelines.runs.step_records import ExecutionRecord
from pipelines.stores.store import Store

THREADS = "threads"


@dataclass(frozen=True)
class StepChange:
    """A step that was made of something else in the second run.

    Attributes:
        step: Its name in the second run.
        before: Its name in the first.
        parameters: That differ, threads left out.
        threads: Of the step, where they differ; else empty.
        code: Files of its code that differ, as far as the store holds the lists of files.
        packages: Whose versions differ.
        machine: What differs in the machines that executed it.
        inputs: Names of the inputs that hold something else, as a step before gave something else.
        sources: Names of the inputs that hold other files of the user's.
        unexplained: Whether results differ though nothing that the step is made of does, as
            measurements do.
    """

    step: str
    before: str
    parameters: Sequence[Difference] = ()
    threads: Sequence[Difference] = ()
    code: Sequence[Difference] = ()
    packages: Sequence[Difference] = ()
    machine: Sequence[Difference] = ()
    inputs: Sequence[str] = ()
    sources: Sequence[str] = ()
    unexplained: bool = False

    @property
    def own(self) -> bool:
        """Whether something of its own differs, and not only what flows into it."""
        return bool(self.parameters or self.threads or self.code or self.packages or self.machine)


@dataclass(frozen=True)
class StepChanges:
    """What differs in the steps of two runs.

    Attributes:
        changed: Steps that both runs have and that were made of something else.
        added: Names of steps that only the second run has.
        removed: Names of steps that only the first run has.
        same: How many steps were made of the same.
        lacking: What the records do not say, in sentences.
    """

    changed: Sequence[StepChange] = ()
    added: Sequence[str] = ()
    removed: Sequence[str] = ()
    same: int = 0
    lacking: Sequence[str] = field(default_factory=tuple)


def compare_steps(store: Store, before: Side, now: Side) -> StepChanges:
    """Compare the steps of two runs that lie at the same places of their graphs."""
    pairs = _pairs(before, now)
    lists = KeptLists(store)
    changed: list[StepChange] = []
    unmatched: list[str] = []
    same = 0
    for step, earlier in pairs.items():
        if step not in now.executions or earlier not in before.executions:
            unmatched.append(step)
            continue
        change = step_change(lists, step, now.executions[step], earlier, before.executions[earlier])
        if change is None:
            same += 1
        else:
            changed.append(change)
    lacking = list(lists.lacking)
    if unmatched:
        lacking.append(
            f"{_some(unmatched)} not compared: in one of the runs no record tells of an execution"
        )
    lacking += [
        f"the graph of run {side.record.run} was not kept: its steps are matched by name"
        for side in (before, now)
        if side.graph is None
    ]
    return StepChanges(
        changed=changed,
        added=[step for step in _ordered(now) if step not in pairs],
        removed=[step for step in _ordered(before) if step not in set(pairs.values())],
        same=same,
        lacking=lacking,
    )


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{shown}{more} {'is' if len(names) == 1 else 'are'}"


def _ordered(side: Side) -> list[str]:
    """Return the names of all steps, each after those that it needs where that is known."""
    if side.graph:
        return [step.name for step in side.graph.ordered]
    return sorted(side.record.steps)


def _pairs(before: Side, now: Side) -> dict[str, str]:
    """Return which step of the first run corresponds to which of the second."""
    if before.graph and now.graph:
        return counterparts(before.graph, now.graph)
    names = set(_ordered(before))
    return {step: step for step in _ordered(now) if step in names}


def step_change(
    lists: KeptLists, step: str, now: ExecutionRecord, earlier: str, before: ExecutionRecord
) -> StepChange | None:
    """Return what differs between two executions; None where nothing does.

    Args:
        lists: The files and packages behind digests.
        step: Name of the step.
        now: Its execution.
        earlier: Name of the step in the earlier run.
        before: The execution there.
    """
    if now.record == before.record:
        return None
    ingredients = Ingredients(**cast("Any", now.ingredients))
    own: dict[str, list[Difference]] = {
        kind: [] for kind in ("parameters", "threads", "code", "packages", "machine")
    }
    inputs: list[str] = []
    for change in ingredients.changed_since(before.ingredients):
        group, _, name = change.what.partition(".")
        if group == "parameters":
            kind = "threads" if name == THREADS else "parameters"
            own[kind].append(Difference(name, change.before, change.now))
        elif group == "inputs":
            inputs.append(name)
        elif group == "code":
            own["code"] += lists.code(before.ingredients["code"], now.ingredients["code"])
        elif group == "environment":
            own["packages"] += lists.packages(before, now)
        elif group == "schema":
            own["code"].append(
                Difference("version of records", before.ingredients["schema"], ingredients.schema)
            )
    if dict(now.outputs) != dict(before.outputs):  # one that gave the same bytes explains nothing
        own["machine"] += _machines(before, now)
    sources = [name for name in inputs if _is_source(now.component, name)]
    differs = bool(inputs) or any(own.values())
    unexplained = not differs and dict(now.outputs) != dict(before.outputs)
    if not differs and not unexplained:
        return None
    return StepChange(
        step=step,
        before=earlier,
        inputs=[name for name in inputs if name not in sources],
        sources=sources,
        unexplained=unexplained,
        **own,
    )


def _is_source(component: str, port: str) -> bool:
    return kinds_of(component)[0].get(port) == "Source"


def _machines(before: ExecutionRecord, now: ExecutionRecord) -> list[Difference]:
    """Return what differs in the machines, as far as both records say it."""
    if not before.machine or not now.machine:
        return []
    one, other = _facts(before), _facts(now)
    return differences(one, other)


def _facts(record: ExecutionRecord) -> dict[str, Any]:
    device: Mapping[str, Any] | None = record.ingredients.get("device")
    gpus = {"gpus": record.ingredients["gpu"]} if "gpu" in record.ingredients else {}
    return {**record.machine, **(device or {}), **gpus}
