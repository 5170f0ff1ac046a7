"""The two runs of a comparison: what the store holds of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from components.contract.errors import UserError
from pipelines.lineage.naming import FileNamed, Index, Named, ReleaseNamed, RunNamed, resolve
from pipelines.runs.graph import Graph
from pipelines.runs.kept.kept_graphs import read_graph
from pipelines.runs.records import RunRecord, read_run
from pipelines.runs.step_records import ExecutionRecord, read_record
from pipelines.stores.call_each import call_each
from pipelines.stores.store import Store

_THREADS = 8


@dataclass(frozen=True)
class Side:
    """One of the two runs.

    Attributes:
        what: As it was named.
        record: The run.
        graph: Its steps; None of a run whose graph was not kept.
        executions: By step the execution whose result the run took.
    """

    what: str
    record: RunRecord
    graph: Graph | None
    executions: Mapping[str, ExecutionRecord]

    def output(self, step: str, name: str) -> str | None:
        """Return the tree digest of an output of a step; None where it has none."""
        return self.record.steps.get(step, {}).get("outputs", {}).get(name)


def side_of(store: Store, index: Index | None, text: str) -> Side:
    """Return what the store holds of a run, or of the run that published a release.

    Raises:
        UserError: The text names neither, or a record is damaged.
    """
    named = resolve(store, index, text)
    record = read_run(store, _run(named, text))
    keys = {name: str(step["record"]) for name, step in record.steps.items() if step.get("record")}
    calls = ((key,) for key in keys.values())
    read = call_each(lambda key: read_record(store, key), calls, _THREADS)
    executions = {
        name: found for name, found in zip(keys, read, strict=True) if found and found.ingredients
    }
    return Side(
        what=text,
        record=record,
        graph=read_graph(store, record.graph_digest, record.name),
        executions=executions,
    )


def _run(named: Named, text: str) -> str:
    if isinstance(named, RunNamed | ReleaseNamed):
        return named.run
    kind = "a file" if isinstance(named, FileNamed) else "no run and no release"
    raise UserError(
        f"{text} is {kind}: what is compared are runs and releases",
        f"slimline lineage {text} says which runs it belongs to; or name NAME@champion",
    )
