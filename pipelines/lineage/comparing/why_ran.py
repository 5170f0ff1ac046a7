"""Why a step of a run was executed: what it was made of that an earlier execution was not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from components.contract.errors import UserError
from pipelines.lineage.comparing.kept_lists import KeptLists
from pipelines.lineage.comparing.steps import StepChange, step_change
from pipelines.lineage.naming import Index
from pipelines.runs.graph import Graph
from pipelines.runs.kept.kept_graphs import counterparts, read_graph
from pipelines.runs.step_records import ExecutionRecord, read_record
from pipelines.stores.store import Store

_RUNS_MAX = 20
"""So many earlier runs are looked through for an execution of the step."""

_EARLIER = """
SELECT before.id, before.run, before.graph FROM run AS this JOIN run AS before
ON before.name = this.name AND (before.started, before.run) < (this.started, this.run)
WHERE this.run = ? ORDER BY before.started DESC, before.run DESC LIMIT ?
"""
_EXECUTED = """
SELECT execution.record FROM run_step JOIN execution ON execution.id = run_step.execution
WHERE run_step.run = ? AND run_step.step = ? AND run_step.state IN ('done', 'cached', 'failed')
"""


@dataclass(frozen=True)
class WhyRan:
    """Why a step was executed.

    Attributes:
        run: The latest earlier run of the pipeline in which it was executed, or its result taken;
            empty where there is none of the last 20.
        record: Key of the record of that execution.
        change: What it is made of that it was not then; None where nothing is: then there was no
            result any more, or that execution gave none.
    """

    run: str
    record: str
    change: StepChange | None


def why_ran(store: Store, index: Index, run: str, step: str, now: ExecutionRecord) -> WhyRan:
    """Say why a step of a run was executed.

    Args:
        store: Where the records are.
        index: Of the same store.
        run: Identifier of the run.
        step: Name of the step.
        now: Its execution.

    Raises:
        UserError: The store fails.
    """
    for earlier_run, earlier_step, record in _executions(store, index, run, step):
        try:
            before = read_record(store, record)
        except UserError:  # damaged: it explains nothing, and hides none of the others
            continue
        if before and before.ingredients and before.component == now.component:
            change = step_change(KeptLists(store), step, now, earlier_step, before)
            return WhyRan(earlier_run, record, change)
    return WhyRan("", "", None)


def _executions(store: Store, index: Index, run: str, step: str) -> Iterator[tuple[str, str, str]]:
    """Yield the run, the step's name there and the record of earlier executions, latest first."""
    own = next(iter(index.execute("SELECT name, graph FROM run WHERE run = ?", (run,))), None)
    if own is None:
        return
    name, graph = own
    names: dict[str, Mapping[str, str]] = {}
    for ident, earlier, digest in list(index.execute(_EARLIER, (run, _RUNS_MAX))):
        if digest != graph and digest not in names:
            names[digest] = _names(store, str(name), str(digest), str(graph))
        there = names[digest].get(step) if digest != graph else step
        for (record,) in index.execute(_EXECUTED, (ident, there)) if there else ():
            yield str(earlier), there or step, str(record)


def _names(store: Store, name: str, before: str, now: str) -> Mapping[str, str]:
    """Return what steps were called in an earlier graph, which may name them differently."""
    one, other = _graph(store, before, name), _graph(store, now, name)
    return counterparts(one, other) if one and other else {}


def _graph(store: Store, digest: str, name: str) -> Graph | None:
    try:
        return read_graph(store, digest, name)
    except UserError:
        return None
