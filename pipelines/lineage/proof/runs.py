"""The record of a run, its graph and its configuration: what the steps are held against."""

from __future__ import annotations

from typing import Any, cast

from pipelines.lineage.proof.evidence import Evidence
from pipelines.lineage.proof.links import Fault, FaultFound, Link
from pipelines.lineage.proof.walk import RunSteps
from pipelines.runs.graph import Graph
from pipelines.runs.records import RunRecord, parse_record
from pipelines.stores.layout import config_key, graph_key, run_key, started_key

_UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, RecursionError)


def read_run_record(evidence: Evidence, run: str, by: str) -> RunRecord:
    """Return the record of a run that has ended, or of one that only began.

    Args:
        evidence: The store.
        run: Identifier of the run.
        by: What refers to it.

    Raises:
        FaultFound: It is missing or damaged.
    """
    key = run_key(run)
    if evidence.find(key) is None and evidence.find(started_key(run)) is not None:
        key = started_key(run)
    data = evidence.get(key, by)
    try:
        record = parse_record(data)
    except (ValueError, RecursionError):
        raise FaultFound(Fault(key, "damaged", "is no record of a run")) from None
    if record.run != run:
        raise FaultFound(Fault(key, "damaged", f"is the record of the run {record.run}"))
    return record


def keeps_sources(record: RunRecord) -> bool:
    """Whether the run is of a version that keeps lists of sources, and where files lay."""
    return bool(record.places)


def run_link(evidence: Evidence, record: RunRecord) -> tuple[Link, RunSteps]:
    """Check the graph and the configuration that the record of a run names by digest."""
    said = "its graph and its configuration"
    by = run_key(record.run)
    faults: list[Fault] = []
    graph: Graph | None = None
    kept = keeps_sources(record)
    for key, kind, expected in (
        (graph_key(record.graph_digest), "graph", record.graph_digest),
        (config_key(record.config_digest), "config", record.config_digest),
    ):
        if not kept and evidence.find(key) is None:
            what = f"is not there: runs of that version need keep no {kind}"
            faults.append(Fault(key, "unproved", what))
            continue
        try:
            content = evidence.tagged(key, kind, expected, by)
            if kind == "graph":
                graph = _graph(key, record.name, content)
        except FaultFound as found:
            faults.append(found.fault)
    return Link(f"run {record.run}", "", said, tuple(faults)), RunSteps(record, graph)


def _graph(key: str, name: str, content: Any) -> Graph:
    """Return a graph out of what a store keeps of it.

    Raises:
        FaultFound: It is none.
    """
    try:
        plain = cast("dict[str, Any]", {"name": name, "steps": content, "sources": {}})
        return Graph.from_json(plain)
    except _UNREADABLE:
        raise FaultFound(Fault(key, "damaged", "is no graph")) from None
