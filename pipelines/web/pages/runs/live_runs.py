"""Runs without an end: what becomes of them, and how long they still take."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import cast

from components.contract.errors import UserError
from pipelines.runs.graph import Graph
from pipelines.runs.kept.kept_graphs import read_graph
from pipelines.runs.live.estimates import durations, left_s, usable_cores
from pipelines.runs.records import RunRecord, read_run
from pipelines.web.service import Service

_SETTLED = ("done", "cached", "failed", "cancelled", "skipped", "killed")


def unfinished(service: Service) -> dict[str, RunRecord]:
    """Return the runs that go on, the latest first."""
    found: list[RunRecord] = []
    for run in service.live:
        try:
            record = read_run(service.store, run)
        except UserError:  # damaged, or removed: it is told of as a problem of the store
            continue
        if record.outcome == "running":
            found.append(record)
    found.sort(key=lambda record: (record.started, record.run), reverse=True)
    return {record.run: record for record in found}


def graph_of_run(service: Service, record: RunRecord) -> Graph | None:
    """Return the steps of a run; None where no graph was kept, or a damaged one."""

    def read() -> Graph:
        found = read_graph(service.store, record.graph_digest, record.name)
        if found is None:  # it may come: a cluster's run is synced bit by bit
            raise LookupError(record.graph_digest)
        return found

    try:  # a graph is named by its digest, so it never changes
        return service.graphs.recall("", record.graph_digest, read)
    except (UserError, LookupError):
        return None


@dataclass(frozen=True)
class Ahead:
    """How far a run is.

    Attributes:
        ended: So many of its steps have ended.
        steps: So many it has.
        left_s: How long the rest takes, in seconds; None where nobody knows.
    """

    ended: int
    steps: int
    left_s: float | None


def ahead(service: Service, record: RunRecord) -> Ahead:
    """Say how far a run is that goes on."""
    ended = {name for name, step in record.steps.items() if step["state"] in _SETTLED}
    return Ahead(len(ended), len(record.steps), _left_s(service, record, ended))


def _left_s(service: Service, record: RunRecord, ended: set[str]) -> float | None:
    graph = graph_of_run(service, record)
    if graph is None or record.outcome != "running" or not set(graph.by_name) <= set(record.steps):
        return None
    # It rests on the runs before this one, which do not change either.
    expected = service.expected.recall("", record.run, lambda: durations(service.store, graph))
    running: dict[str, float] = {}
    own: dict[str, float] = {}
    for name, step in record.steps.items():
        if step["state"] != "running":
            continue
        running[name] = seconds_since(step.get("since"), service.clock())
        if isinstance(told := step.get("progress"), dict):
            left = cast("dict[str, object]", told).get("left_s")
            if isinstance(left, int | float):
                own[name] = float(left)
    return left_s(graph, ended, running, own, expected, usable_cores())


def seconds_since(moment: object, now: datetime) -> float:
    """Return how long ago a moment was, in seconds; 0 where nothing says when."""
    try:
        return max(0.0, (now - datetime.fromisoformat(str(moment))).total_seconds())
    except (ValueError, TypeError):
        return 0.0
