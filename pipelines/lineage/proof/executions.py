"""The record of an execution: recomputed from its ingredients, compared with its neighbours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from components.contract.digests import digest
from pipelines.lineage.proof.evidence import Evidence
from pipelines.lineage.proof.links import Fault, FaultFound, Link
from pipelines.lineage.proof.walk import RunSteps, digests_in
from pipelines.runs.kept.cluster_results import ELSEWHERE
from pipelines.runs.results import read_result
from pipelines.runs.statements import LaterVersionError, Statement, read_statement
from pipelines.stores.layout import (
    code_key,
    environment_key,
    result_key,
    step_of_record,
    tree_key,
)

_LISTINGS = (("code", code_key), ("environment", environment_key))


@dataclass(frozen=True)
class RecordedExecution:
    """The record of an execution, read from a store.

    Attributes:
        place: Its key there.
        said: What it says.
    """

    place: str
    said: Statement

    @property
    def inputs(self) -> dict[str, object]:
        """Digest, or digests, of what entered every port."""
        return cast("dict[str, object]", dict(self.said.ingredients["inputs"]))

    @property
    def stated_outputs(self) -> dict[str, str] | None:
        """What the component's own process stated of its outputs; None where it stated nothing."""
        stated = self.said.content.get("outputs")
        if not isinstance(stated, dict):
            return None
        items = cast("dict[str, dict[str, str]]", stated)
        return {name: item["digest"] for name, item in items.items()}


def read_execution(evidence: Evidence, key: str, by: str) -> RecordedExecution:
    """Read the record of an execution.

    Args:
        evidence: The store.
        key: Where it lies.
        by: What refers to it.

    Raises:
        FaultFound: It is not there, or is something else.
    """
    data = evidence.get(key, by)
    try:
        execution = RecordedExecution(key, read_statement(data))
        _ = execution.inputs, execution.stated_outputs, step_of_record(key)
        digest("step", execution.said.ingredients)
    except LaterVersionError as error:
        raise FaultFound(Fault(key, "unproved", str(error))) from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise FaultFound(Fault(key, "damaged", "is no record of an execution")) from None
    if not execution.said.executed:
        raise FaultFound(Fault(key, "damaged", "is of a step that was not executed"))
    return execution


def step_link(evidence: Evidence, steps: RunSteps, step: str, *, deep: bool) -> Link:
    """Check one step of a run: its record, its key, its inputs and all that it made.

    Args:
        evidence: The store.
        steps: Of the run.
        step: Which one.
        deep: Hash every file that it made.
    """
    said = "record, key, code, environment, inputs and outputs"
    entry = steps.record.steps[step]
    key = str(entry.get("key") or "")
    record = entry.get("record")
    by = f"the run {steps.record.run}"
    if not isinstance(record, str):
        what = f"names no record of {step}, which is {entry.get('state')}"
        return Link(f"step {step}", key, said, (Fault(by, "missing", what),))
    try:
        execution = read_execution(evidence, record, by)
    except FaultFound as found:
        return Link(f"step {step}", key, said, (found.fault,))
    faults = [
        *_own_faults(execution, steps, step),
        *_input_faults(execution, steps, step),
        *_entry_faults(evidence, execution),
        *_listing_faults(evidence, execution),
    ]
    left_out = 0
    for output, tree in execution.said.outputs.items():
        try:
            faults += _output_faults(evidence, execution, output, tree, deep=deep)
            left_out += evidence.left_out(evidence.tree(tree, record).entries)
        except FaultFound as found:
            faults.append(_at_home(execution, found.fault))
    if left_out:
        said += f"; {left_out:,} bytes of its files are not in the bundle"
    return Link(f"step {step}", key, said, tuple(dict.fromkeys(faults)))


def _own_faults(execution: RecordedExecution, steps: RunSteps, step: str) -> Iterator[Fault]:
    """Hold a record against itself, its key and the record of the run."""

    def wrong(what: str) -> Fault:
        return Fault(execution.place, "damaged", what)

    key = digest("step", execution.said.ingredients)
    if execution.said.key != key:
        yield wrong(
            f"says the step key {str(execution.said.key)[:16]}, and its ingredients give {key[:16]}"
        )
    entry = steps.record.steps[step]
    if entry.get("key") not in (None, execution.said.key):
        yield wrong(f"is of another step key than the run {steps.record.run} says")
    run, name, _ = step_of_record(execution.place)
    if execution.said.invocation != f"{run}/{name}":
        yield wrong(f"is the record of {execution.said.invocation}")
    if dict(execution.said.outputs) != dict(steps.outputs(step)):
        yield wrong(f"has made other outputs than the run {steps.record.run} says")
    stated = execution.stated_outputs
    if stated is not None and stated != dict(execution.said.outputs):
        yield wrong("has made other outputs than its own process stated")
    if execution.said.content.get("code") not in (None, execution.said.ingredients["code"]):
        yield wrong("was made by other code than its own process stated")


def _input_faults(execution: RecordedExecution, steps: RunSteps, step: str) -> Iterator[Fault]:
    """Compare what entered a step with what the steps before it made."""
    inputs = execution.inputs
    planned = steps.planned(step)
    if planned:
        same = {
            "another component": planned.component == execution.said.ingredients["component"],
            "other parameters": _plain(planned.parameters)
            == execution.said.ingredients["parameters"],
        }
        for name, equal in same.items():
            if not equal:
                what = f"has {name} than the graph of the run"
                yield Fault(execution.place, "damaged", what)
    if (expected := steps.expected_inputs(step)) is not None:
        for port in sorted({*expected, *inputs}):
            if expected.get(port) != inputs.get(port):
                what = f"took as {port} what the steps before it have not made"
                yield Fault(execution.place, "damaged", what)
        return
    known = {*steps.makers(), *steps.record.sources.values()}
    for item in digests_in(inputs):
        if item not in known:
            what = f"took {item[:16]}, which no step of the run made and no source is"
            yield Fault(execution.place, "damaged", what)


def _plain(value: object) -> object:
    """Return parameters as JSON gives them back."""
    return json.loads(json.dumps(value))


def _entry_faults(evidence: Evidence, execution: RecordedExecution) -> Iterator[Fault]:
    """Compare the entry of the cache with the record that it names; entries may be gone."""
    key = result_key(str(execution.said.key))
    data = None if evidence.partial else evidence.find(key)
    if data is None:
        return
    try:
        result = read_result(data)
    except ValueError:
        yield Fault(key, "damaged", "is no result of a step")
        return
    if result.key != execution.said.key:
        yield Fault(key, "damaged", "is the result of another step key")
    elif result.record == execution.place and dict(result.outputs) != dict(execution.said.outputs):
        yield Fault(key, "damaged", f"has other outputs than its record {execution.place}")


def _listing_faults(evidence: Evidence, execution: RecordedExecution) -> Iterator[Fault]:
    """Re-hash the lists of code files and of packages that the step's key holds the digest of."""
    for name, key_of in _LISTINGS:
        expected = str(execution.said.ingredients[name])
        key = key_of(expected)
        early = execution.said.version == 1 or execution.said.engine in ELSEWHERE
        if early and evidence.find(key) is None:
            what = f"is not there: such records need keep no list of the {name}"
            yield Fault(key, "unproved", what)
            continue
        try:
            evidence.tagged(key, name, expected, execution.place)
        except FaultFound as found:
            yield found.fault


def _output_faults(
    evidence: Evidence, execution: RecordedExecution, output: str, tree: str, *, deep: bool
) -> Iterator[Fault]:
    """Check a file tree that a step made: its list, and the files in it.

    Raises:
        FaultFound: The list is missing or damaged.
    """
    entries = evidence.tree(tree, execution.place).entries
    if execution.said.version > 1:
        said = {path: sha for (name, path), sha in execution.said.files.items() if name == output}
        listed = {entry.path: entry.sha256 for entry in entries}
        odd = {path for path in said if said[path] != listed.get(path)}
        if not execution.said.unlisted_files:
            odd |= listed.keys() - said.keys()
        for path in sorted(odd)[:3]:
            what = f"names other bytes for {output}/{path} than the tree {tree[:16]}"
            yield Fault(execution.place, "damaged", what)
    for fault in evidence.blobs(entries, tree_key(tree), deep=deep):
        yield _at_home(execution, fault)


def _at_home(execution: RecordedExecution, fault: Fault) -> Fault:
    """Say of what a cluster keeps in its own bucket that it cannot be looked at from here."""
    if execution.said.engine in ELSEWHERE and fault.state == "missing":
        what = "stays in the bucket of the cluster that made it"
        return Fault(fault.place, "unproved", what)
    return fault
