"""One run as its pages show it: its record, its steps in order, when each ran."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from components.contract.digests import canonical_json
from components.contract.progress import Progress, parsed
from pipelines.lineage.index.opening import OpenIndex
from pipelines.runs.graph import Graph
from pipelines.runs.live.progress import read_progress
from pipelines.runs.live.progress_text import progress_text
from pipelines.runs.records import RunRecord, read_run
from pipelines.stores.layout import run_key, started_key, step_of_record
from pipelines.stores.store import is_key
from pipelines.web.bars import in_order
from pipelines.web.pages.runs.live_runs import Ahead, ahead, graph_of_run
from pipelines.web.service import Service
from pipelines.web.templating import duration

_RAN = "SELECT record, started, finished, wall_s FROM execution WHERE record >= ? AND record < ?"


@dataclass(frozen=True)
class RunStep:
    """A step of a run.

    Attributes:
        name: Its name.
        component: What runs.
        state: As the record of the run has it.
        told: How far it is, what it waits for, or why it is as it is; empty where nothing is told.
        done: Which share of it is done, from 0 to 1; None where nobody knows.
        took_s: How long it ran, in seconds; None of one that did not, or was cached.
        waited_s: How much of that it waited for the machine.
        own_s: How long its component's function ran; None of one that was not executed in this run.
        began: When it began, in this run; None of one that did not run, or of which nothing tells.
        ended: When it ended, or, of one that runs, None.
        made_by: The run that executed it, where that is another one.
        what: Of one that failed: what went wrong.
        fix: And what can be done.
        attempt: Which attempt was the last, from 1.
    """

    name: str
    component: str
    state: str
    told: str = ""
    done: float | None = None
    took_s: float | None = None
    waited_s: float = 0.0
    own_s: float | None = None
    began: datetime | None = None
    ended: datetime | None = None
    made_by: str | None = None
    what: str = ""
    fix: str = ""
    attempt: int = 1


@dataclass(frozen=True)
class ShownRun:
    """A run.

    Attributes:
        record: As the store has it.
        graph: Its steps; None where none was kept.
        steps: In an order in which each comes after all that it needs.
        ahead: How far it is.
        now: When this was asked.
    """

    record: RunRecord
    graph: Graph | None
    steps: Sequence[RunStep]
    ahead: Ahead
    now: datetime

    @property
    def length_s(self) -> float:
        """How long the run took, or has taken so far, in seconds."""
        ends = [step.ended for step in self.steps if step.ended]
        end = _moment(self.record.finished) or (self.now if self.runs else max(ends, default=None))
        begin = _moment(self.record.started)
        return max(0.0, (end - begin).total_seconds()) if begin and end else 0.0

    def share(self, moment: datetime | None) -> float:
        """Return after which share of the run a moment was; 1 for None, which is its end."""
        begin = _moment(self.record.started)
        if moment is None or begin is None or not self.length_s:
            return 1.0
        return (moment - begin).total_seconds() / self.length_s

    def told_when(self, step: RunStep) -> str:
        """Say in words when a step ran."""
        begin = duration(self.share(step.began) * self.length_s)
        if step.ended is None:
            return f"from {begin} on"
        return f"from {begin} to {duration(self.share(step.ended) * self.length_s)} of the run"

    @property
    def counts(self) -> Sequence[tuple[str, int]]:
        """How many steps are in which state, what is done first."""
        return in_order([step.state for step in self.steps])

    @property
    def by_name(self) -> Mapping[str, RunStep]:
        """The steps by their names."""
        return {step.name: step for step in self.steps}

    @property
    def runs(self) -> bool:
        """Whether it goes on."""
        return self.record.outcome == "running"

    def in_state(self, *states: str) -> list[RunStep]:
        """Return the steps that are in one of these states."""
        return [step for step in self.steps if step.state in states]


def find_run(service: Service, run: str) -> RunRecord | None:
    """Return the record of a run that an address names; None where there is no such run.

    Raises:
        UserError: Its record is damaged.
    """
    keys = (run_key(run), started_key(run))
    if not all(map(is_key, keys)) or "/" in run or not any(service.store.stat_many(keys)):
        return None
    return read_run(service.store, run)


def facts_of(service: Service, index: OpenIndex, record: RunRecord) -> ShownRun:
    """Return what pages show of a run."""
    graph = graph_of_run(service, record)
    times = _StepTimes(service, index, record)
    names = [step.name for step in graph.ordered if step.name in record.steps] if graph else []
    names += [name for name in record.steps if name not in set(names)]
    steps = [_row(record, name, times) for name in names]
    return ShownRun(record, graph, steps, ahead(service, record), service.clock())


class _StepTimes:
    """When the steps of a run ran: by what was written while it went on, else by its records."""

    def __init__(self, service: Service, index: OpenIndex, record: RunRecord) -> None:
        progress = read_progress(service.store, record.run)
        told: Mapping[str, Mapping[str, Any]] = progress.steps if progress else {}
        self._since = {name: _moment(step.get("since")) for name, step in told.items()}
        prefix = f"runs/{record.run}/steps/"
        self._ran: dict[str, tuple[datetime | None, datetime | None]] = {}
        for key, started, finished, wall_s in index.execute(_RAN, (prefix, f"{prefix[:-1]}0")):
            end = _moment(finished)
            begin = end - timedelta(seconds=wall_s) if end and wall_s else _moment(started)
            self._ran[step_of_record(key)[1]] = begin, end

    def of(
        self, name: str, state: str, wall_s: float | None
    ) -> tuple[datetime | None, datetime | None]:
        """Return begin and end of a step in this run."""
        since = self._since.get(name)
        if state in ("waiting", "skipped"):
            return None, None
        if state in ("running", "killed"):
            return (since, None) if since else self._ran.get(name, (None, None))
        if since and state == "cached":
            return since, since
        if since and wall_s is not None:
            return since - timedelta(seconds=wall_s), since
        return self._ran.get(name, (None, None))


def _moment(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else None


def _row(record: RunRecord, name: str, times: _StepTimes) -> RunStep:
    step = record.steps[name]
    state = str(step["state"])
    wall_s = _number(step.get("wall_s"))
    began, ended = times.of(name, state, wall_s)
    progress = progress_of(step)
    executed = step.get("record")
    run = step_of_record(executed)[0] if executed else record.run
    took_s = wall_s if state in ("done", "failed", "cancelled") else None
    if took_s is None and began and ended and state != "cached":
        took_s = (ended - began).total_seconds()
    return RunStep(
        name=name,
        component=str(step.get("component") or _component(name)),
        state=state,
        told=_told(step, state, progress),
        done=share_of(progress) if state in ("running", "killed") else None,
        took_s=took_s,
        waited_s=_number(step.get("waited_s")) or 0.0,
        own_s=_number(step.get("function_s")) if state == "done" else None,
        began=began,
        ended=ended,
        made_by=run if run != record.run else None,
        what=str(step.get("what") or ""),
        fix=str(step.get("fix") or ""),
        attempt=step["attempt"] if isinstance(step.get("attempt"), int) else 1,
    )


def _component(name: str) -> str:
    """Return what a step runs whose record is of an earlier version, which did not say it."""
    return name.partition("-")[0]


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def progress_of(step: Mapping[str, Any]) -> Progress | None:
    """Return how far a step said that it was; None where it did not, or nothing that is usable."""
    try:
        return parsed(canonical_json(step.get("progress")))
    except (ValueError, TypeError):
        return None


def share_of(progress: Progress | None) -> float | None:
    """Return which share of a step is done, from 0 to 1; None where nobody knows."""
    if progress is None or not progress.total or progress.count is None:
        return None
    return min(1.0, progress.count / progress.total)


def _told(step: Mapping[str, Any], state: str, progress: Progress | None) -> str:
    """Say in a few words what a step does, or why it is as it is."""
    match state:
        case "waiting":
            return f"for {step['waits_for']}" if step.get("waits_for") else ""
        case "running" | "killed":
            told: object = step.get("progress")
            left = cast("Mapping[str, object]", told).get("left_s") if progress else None
            left_s = _number(left) if state == "running" else None
            return progress_text(progress, None, left_s) if progress else ""
        case "skipped":
            return str(step.get("because") or "")
        case "failed":
            return str(step.get("what") or "").partition("\n")[0]
        case _:
            return ""
