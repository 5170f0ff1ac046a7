"""Runs in every state for pages, of a graph as large as people have, without running a step."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from components.contract.digests import canonical_json
from pipelines.compress import graph_of
from pipelines.config.configuration import Config
from pipelines.config.loading import load
from pipelines.disk.scratch import scratch_folder
from pipelines.runs.graph import Graph
from pipelines.runs.kept.kept_graphs import put_graph
from pipelines.runs.live.logs import log_file
from pipelines.runs.live.progress import RunProgress
from pipelines.runs.records import RunRecord, put_finished, put_started
from pipelines.runs.workspace import machine_name, workspace_root
from pipelines.stores.layout import log_key, progress_key
from pipelines.stores.store import Store, is_key
from pipelines.triggers.kept import config_text
from pipelines.triggers.settings import ScheduleSettings, Trigger

EXAMPLE = Path(__file__).parents[2] / "pipelines" / "examples" / "digits.yaml"
BUDGETS = {"metric": "auc", "drop": 0.02, "size_mb": 0.1, "latency_ms": 1.0}


def example_graph() -> Graph:
    """Return the graph of the example that everybody starts with: some thirty steps."""
    return graph_of(load(EXAMPLE))


def nightly(config: Config, created: datetime) -> Trigger:
    """Return a schedule of a configuration, to be kept in a store."""
    since = created.isoformat(timespec="seconds")
    return Trigger(
        uid="01234567", name="nightly", config=config_text(config), config_digest=config.digest,
        engine="local", output="/out", retries=2, since=since, created=since, actor="olga",
        host="", namespace="", watch=None,
        schedule=ScheduleSettings(cron="30 2 * * *", zone="Europe/Berlin"),
    )  # fmt: skip


class PageRuns:
    """Writes runs of one graph.

    Args:
        store: Where to.
        graph: Of what.
    """

    def __init__(self, store: Store, graph: Graph | None = None) -> None:
        self.store = store
        self.graph = graph or example_graph()
        self.names = [step.name for step in self.graph.ordered]
        put_graph(store, self.graph)

    def record(
        self, run: str, started: datetime, steps: Mapping[str, Mapping[str, Any]], **values: Any
    ) -> RunRecord:
        """Return a record of a run that has begun."""
        return RunRecord(
            **{
                "run": run,
                "name": self.graph.name,
                "config_digest": "c" * 64,
                "graph_digest": self.graph.digest,
                "engine": "local",
                "started": _text(started),
                "finished": None,
                "outcome": "running",
                "budgets": BUDGETS,
                "steps": dict(steps),
                "sources": {},
                "wall_s": 0.0,
                "critical_path_s": 0.0,
                "machine": "elsewhere",
                "actor": "olga",
                "places": {"data": "/data/digits"},
                **values,
            }
        )

    def state(self, name: str, state: str, since: datetime, **more: Any) -> dict[str, Any]:
        """Return how a step is, as ``progress.json`` has it."""
        component = self.graph.by_name[name].component
        return {"component": component, "state": state, "since": _text(since), **more}

    def done(self, run: str, name: str, ended: datetime, wall_s: float = 4.0) -> dict[str, Any]:
        """Return a step that has a result, whose record need not be there."""
        outputs = {port.name: "a" * 64 for port in self.graph.by_name[name].interface.outputs}
        return self.state(
            name, "done", ended, key="b" * 64, outputs=outputs, wall_s=wall_s, waited_s=0.0,
            function_s=wall_s, cached=False,
        )  # fmt: skip

    def put_progress(
        self, run: str, steps: Mapping[str, Mapping[str, Any]], at: datetime, *, ended: bool
    ) -> None:
        """Write how far a run is."""
        progress = RunProgress(run, 1, 7, _text(at), 5.0, ended, steps)
        data, key = canonical_json(asdict(progress)), progress_key(run)
        if not self.store.put_if_absent(key, data):
            stat = self.store.stat(key)
            assert stat
            assert self.store.replace_if_match(key, data, stat.version)

    def steps_until(
        self, run: str, count: int, started: datetime, rest: str
    ) -> dict[str, dict[str, Any]]:
        """Return steps of which the first ``count`` are done, one after the other."""
        steps: dict[str, dict[str, Any]] = {}
        for number, name in enumerate(self.names):
            ended = started + timedelta(seconds=4 * (number + 1))
            steps[name] = (
                self.done(run, name, ended)
                if number < count
                else self.state(name, rest, started + timedelta(seconds=4 * count))
            )
        return steps

    def going(self, run: str, count: int, *, ago_s: float, machine: str = "elsewhere") -> RunRecord:
        """Write a run of which so many steps are done and the next one trains."""
        now = datetime.now(UTC)
        started = now - timedelta(seconds=ago_s)
        record = self.record(run, started, {}, machine=machine, work=str(self.work(run)))
        put_started(self.store, record)
        steps = self.steps_until(run, count, started, "waiting")
        progress = {"seconds": 3.0, "epoch": 3, "total": 15, "loss": 0.1234, "left_s": 12.0}
        name = self.names[count]
        steps[name] = self.state(
            name, "running", now - timedelta(seconds=3), attempt=1, progress=progress
        )
        self.put_progress(run, steps, now, ended=False)
        return record

    def work(self, run: str) -> Path:
        """Return the scratch folder of a run of this machine."""
        return workspace_root(self.store) / run

    def held(self, run: str) -> AbstractContextManager[Path]:
        """Hold a run of this machine, as its engine does; yields its folder."""
        return scratch_folder(workspace_root(self.store), run)

    def going_here(self, run: str, count: int, log: str) -> Path:
        """Write a run of this machine that goes on inside ``held``, and return its log."""
        self.going(run, count, ago_s=60.0, machine=machine_name())
        path = log_file(self.work(run), self.names[count], 1)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(log)
        return path

    def failed(self, run: str, count: int, *, ago_s: float, **values: Any) -> RunRecord:
        """Write a run that failed at the step after so many."""
        now = datetime.now(UTC)
        started = now - timedelta(seconds=ago_s)
        steps = self.steps_until(run, count, started, "skipped")
        name = self.names[count]
        ended = started + timedelta(seconds=4 * count + 2)
        for other in self.names[count + 1 :]:
            steps[other]["because"] = f"{name} failed"
        steps[name] = self.state(
            name, "failed", ended, attempt=1, user_fault=True, wall_s=2.0,
            what="teacher.epochs: 0 epochs train nothing", fix="write epochs: 15",
        )  # fmt: skip
        self.put_progress(run, steps, ended, ended=True)
        if is_key(key := log_key(run, name)):
            log = b"04:56:52 begin\n\x1b[31mTraceback\x1b[0m\nepochs: 0\n"
            self.store.put_if_absent(key, log)
        record = self.record(run, started, steps, outcome="failed", finished=_text(ended),
                             wall_s=(ended - started).total_seconds(), **values)  # fmt: skip
        put_started(self.store, record)
        put_finished(self.store, record)
        return record

    def killed(self, run: str, count: int, *, ago_s: float) -> None:
        """Write a run of another machine that has given no sign of life for long."""
        now = datetime.now(UTC)
        started = now - timedelta(seconds=ago_s)
        put_started(self.store, self.record(run, started, {}))
        last = started + timedelta(seconds=4 * count + 3)
        steps = self.steps_until(run, count, started, "waiting")
        name = self.names[count]
        progress = {"seconds": 3.0, "epoch": 3, "total": 15}
        steps[name] = self.state(name, "running", last, attempt=1, progress=progress)
        self.put_progress(run, steps, last, ended=False)

    def cancelled(self, run: str, count: int, *, ago_s: float, asked: Mapping[str, str]) -> None:
        """Write a run that somebody ended."""
        started = datetime.now(UTC) - timedelta(seconds=ago_s)
        ended = started + timedelta(seconds=4 * count + 3)
        steps = self.steps_until(run, count, started, "skipped")
        name = self.names[count]
        steps[name] = self.state(name, "cancelled", ended, attempt=1, wall_s=3.0)
        self.put_progress(run, steps, ended, ended=True)
        record = self.record(run, started, steps, outcome="cancelled", finished=_text(ended),
                             wall_s=4.0 * count + 3, cancelled=dict(asked))  # fmt: skip
        put_started(self.store, record)
        put_finished(self.store, record)


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
