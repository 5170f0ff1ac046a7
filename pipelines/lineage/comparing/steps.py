"""What differs in the steps of two runs: what they were made of, step by step."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from components.contract.digests import digest
from pipelines.lineage.comparing.sides import Side
from pipelines.runs.kept_graphs import counterparts
from pipelines.runs.keys import Ingredients
from pipelines.runs.step_records import ExecutionRecord
from pipelines.stores.layout import code_key, environment_key
from pipelines.stores.store import KeyMissing, Store

THREADS = "threads"


@dataclass(frozen=True)
class Difference:
    """Something that is not the same in both runs.

    Attributes:
        what: Which parameter, package, file of code or fact of the machine.
        before: What it was in the first run; null where there was none.
        now: What it is in the second; null where there is none.
    """

    what: str
    before: object
    now: object


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
    lists = _Lists(store)
    changed: list[StepChange] = []
    same = 0
    for step, earlier in pairs.items():
        if step not in now.executions or earlier not in before.executions:
            continue
        change = _change(lists, step, now.executions[step], earlier, before.executions[earlier])
        if change is None:
            same += 1
        else:
            changed.append(change)
    lacking = list(lists.lacking)
    for side in (before, now):
        if side.unread:
            lacking.append(
                f"no record tells what {_some(side.unread)} of run {side.record.run} were made of"
            )
        if side.graph is None:
            lacking.append(
                f"the graph of run {side.record.run} was not kept: its steps are matched by name"
            )
    return StepChanges(
        changed=changed,
        added=[step for step in _ordered(now) if step not in pairs],
        removed=[step for step in _ordered(before) if step not in set(pairs.values())],
        same=same,
        lacking=lacking,
    )


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more steps" if len(names) > 3 else shown


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


def _change(
    lists: _Lists, step: str, now: ExecutionRecord, earlier: str, before: ExecutionRecord
) -> StepChange | None:
    """Return what differs between two executions; None where nothing does."""
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
    from components.contract.interface import interface_of

    return any(one.name == port and one.kind == "Source" for one in interface_of(component).inputs)


def _machines(before: ExecutionRecord, now: ExecutionRecord) -> list[Difference]:
    """Return what differs in the machines, as far as both records say it."""
    if not before.machine or not now.machine:
        return []
    one, other = (
        {**record.machine, **(record.ingredients.get("device") or {})} for record in (before, now)
    )
    return _differences(one, other)


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Difference]:
    return [
        Difference(name, before.get(name), now.get(name))
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    ]


class _Lists:
    """The lists of files and packages that digests of code and environments stand for.

    Args:
        store: Where they are.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read: dict[str, Mapping[str, Any] | None] = {}
        self.lacking: dict[str, None] = {}

    def code(self, before: str, now: str) -> list[Difference]:
        """Return the files of code that differ, by the first digits of their sha256."""
        one = self._list(code_key(before), "code", before)
        other = self._list(code_key(now), "code", now)
        if one is None or other is None:
            return [Difference("files that no list names", before[:8], now[:8])]
        return [
            Difference(item.what, _short(item.before), _short(item.now))
            for item in _differences(one, other)
        ]

    def packages(self, before: ExecutionRecord, now: ExecutionRecord) -> list[Difference]:
        """Return the packages that differ between two environments."""
        first, second = before.ingredients["environment"], now.ingredients["environment"]
        one, other = self._environment(first), self._environment(second)
        if one is not None and other is not None:
            return _differences(one, other)
        found = _differences(before.versions, now.versions)
        return found or [Difference("packages that no list names", first[:8], second[:8])]

    def _environment(self, wanted: str) -> dict[str, Any] | None:
        """Return the packages of an environment, with Python and the architecture."""
        content = self._list(environment_key(wanted), "environment", wanted)
        if content is None or "extras" not in content:
            return content and {**content["packages"], **_others(content)}
        image = self._environment(content["image"])
        return image and {**image, **content["extras"]}

    def _list(self, key: str, kind: str, wanted: str) -> Mapping[str, Any] | None:
        if key not in self._read:
            self._read[key] = self._checked(key, kind, wanted)
        return self._read[key]

    def _checked(self, key: str, kind: str, wanted: str) -> Mapping[str, Any] | None:
        try:
            content = json.loads(self._store.get(key))
        except KeyMissing:
            self.lacking[f"the store has no {key}: a run of an earlier version kept no list"] = None
            return None
        except ValueError:
            content = None
        if not isinstance(content, dict) or digest(kind, content) != wanted:
            self.lacking[f"{key} is damaged: slimline verify"] = None
            return None
        return cast("Mapping[str, Any]", content)


def _short(sha: object) -> object:
    return sha[:8] if isinstance(sha, str) else sha


def _others(content: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name != "packages"}
