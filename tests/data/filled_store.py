"""A store in which every page has something to show, made of one real run.

Runs that ended in other ways are written as engines write them; triggers have ticked in a world of
their own.
"""

from __future__ import annotations

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from pipelines.disk.scratch import scratch_folder
from pipelines.runs.graph import Graph
from pipelines.runs.kept.kept_graphs import read_graph
from pipelines.runs.live.events import Event
from pipelines.runs.live.progress import ProgressWriter
from pipelines.runs.records import (
    RunRecord,
    list_runs,
    new_run_id,
    put_finished,
    put_started,
    read_run,
)
from pipelines.runs.releases.registry import register_release
from pipelines.runs.releases.release_log import append, read_log
from pipelines.runs.workspace import machine_name, workspace_root
from pipelines.stores.opening import open_store
from pipelines.stores.store import Store
from pipelines.triggers.settings import ScheduleSettings, WatchSettings
from tests.data.releases import entry_of
from tests.pipelines.triggers.worlds import World


def fill(tiny: Path, folder: Path) -> Path:
    """Make the store.

    Args:
        tiny: A store with one run of the smallest configuration.
        folder: Where the store and the data of its triggers come to lie.
    """
    place = folder / "store"
    shutil.copytree(tiny, place)
    store = open_store(str(place))
    record = read_run(store, None)
    _earlier_runs(store, record)
    _promote(store, record)
    _triggers(store, folder, datetime.fromisoformat(record.started) - timedelta(days=1))
    return place


def _earlier_runs(store: Store, record: RunRecord) -> None:
    """The same from the cache; one that failed, one that was cancelled, one that broke."""
    names = [name for name, step in record.steps.items() if step["state"] == "done"]
    middle = names[len(names) // 2]
    hindered = {name: {"state": "skipped"} for name in names[len(names) // 2 + 1 :]}
    cached = {name: {**step, "state": "cached"} for name, step in record.steps.items()}
    begun = {name: cached[name] for name in names[: len(names) // 2]}
    failure = {
        "state": "failed", "what": "the disk is full: <b>/var</b> & more", "user_fault": True,
        "fix": "make room on /var, then slimline run tests/data/tiny.yaml",
    }  # fmt: skip
    ends = {
        "done": ("done", cached),
        "failed": ("failed", {**begun, middle: failure, **hindered}),
        "cancelled": ("cancelled", {**begun, middle: {"state": "cancelled"}, **hindered}),
        "broken": ("broken", {**begun, middle: {"state": "killed"}, **hindered}),
    }
    began = datetime.fromisoformat(record.started)
    for number, (outcome, steps) in enumerate(ends.values()):
        at = began - timedelta(hours=1 + number)
        earlier = replace(
            record, run=f"{record.name}-{at:%Y%m%d-%H%M%S}-{number:04x}",
            started=at.isoformat(timespec="milliseconds"), outcome=outcome, steps=steps,
            finished=(at + timedelta(seconds=20)).isoformat(timespec="milliseconds"),
            fault="its engine was killed" if outcome == "broken" else None,
        )  # fmt: skip
        put_started(store, replace(earlier, outcome="running", finished=None, steps={}, fault=None))
        put_finished(store, earlier)
        if outcome == "done":
            release = str(record.steps["publish"]["outputs"]["release"])
            register_release(store, record.name, earlier.run, release)


def _promote(store: Store, record: RunRecord) -> None:
    release = str(record.steps["publish"]["outputs"]["release"])
    entry = entry_of(release, name=record.name, run=record.run, at=record.started)
    assert append(store, read_log(store, record.name), entry)


def _triggers(store: Store, folder: Path, begin: datetime) -> None:
    """A schedule that waits, and watches that have waited, run and failed."""
    world = World(store, folder)
    world.clock.now = begin.replace(second=30)
    yearly = ScheduleSettings(cron="0 3 1 1 *", zone="Europe/Berlin")
    world.trigger("yearly", yearly)
    world.trigger("faces", watch=WatchSettings(quiet_s=1, when=("images:200",)))
    world.trigger("uploads", watch=WatchSettings(quiet_s=1))
    world.runs.outcomes = ["user fault"]
    for _ in range(5):
        world.tick()
        world.clock.passes(minutes=2)


class GoingOn:
    """A run that goes on for as long as a test likes.

    Args:
        graph: Its steps.
        writer: Tells how far it is.
        run: Its identifier.
    """

    def __init__(self, graph: Graph, writer: ProgressWriter, run: str) -> None:
        self.graph, self.run = graph, run
        self._writer = writer

    def tell(self, event: Event) -> None:
        """Something happens in it."""
        self._writer.on_event(event)


@contextmanager
def going_on(place: Path, *, every_s: float = 0.5) -> Generator[GoingOn]:
    """Let a run begin that this process holds, and is known to be killed afterwards.

    Args:
        place: The store, which has a run of the same kind.
        every_s: How often it tells how far it is.
    """
    store = open_store(str(place))
    earlier, graph = next(
        (record, graph)
        for record in reversed(list_runs(store))
        if (graph := read_graph(store, record.graph_digest, record.name))
    )
    run = new_run_id(earlier.name)
    now = datetime.now().astimezone()
    with scratch_folder(workspace_root(store), run) as work:
        (work / "logs").mkdir()
        record = replace(
            earlier, run=run, started=now.isoformat(timespec="milliseconds"), finished=None,
            outcome="running", steps={}, machine=machine_name(), work=str(work), fault=None,
            wall_s=0.0, critical_path_s=0.0,
        )  # fmt: skip
        put_started(store, record)
        with ProgressWriter(store, run, graph, every_s) as writer:
            yield GoingOn(graph, writer, run)
