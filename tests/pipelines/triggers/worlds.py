"""A store with triggers, a clock that tests set, and runs that only write their records."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipelines.launch.launching import DataChangedError, Launched, Ordered, settled_folders
from pipelines.runs.kept.kept_sources import put_source
from pipelines.runs.live.cancelling import read_cancellation
from pipelines.runs.records import RunRecord, put_finished, put_started
from pipelines.runs.releases.registry import register_release
from pipelines.sources.snapshot import DATA, snapshot
from pipelines.stores.store import Store
from pipelines.triggers.kept import put_trigger
from pipelines.triggers.settings import ScheduleSettings, Trigger, WatchSettings
from pipelines.triggers.ticking import Ticker

BEGIN = datetime(2026, 11, 27, 3, 0, 30, tzinfo=UTC)


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self, now: datetime = BEGIN) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def passes(self, **amount: float) -> None:
        self.now += timedelta(**amount)


class Killed(BaseException):
    """What ends a process at once."""


class Runs:
    """A launcher that writes what a run writes, and ends as it is told.

    Args:
        store: Where.
        clock: What time it is.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store, self._clock = store, clock
        self.outcomes: list[str] = []
        self.begun: list[str] = []
        self.meanwhile = lambda: None
        self.machine = self.work = ""

    def __call__(self, config, *, engine, store, output, cluster, ordered: Ordered, on_event):
        outcome = self.outcomes.pop(0) if self.outcomes else "done"
        data = snapshot(config.data, folders=settled_folders(self.store, ordered))
        if ordered.data and data.digest != ordered.data:
            raise DataChangedError("the data changed", "nothing")
        put_source(self.store, data)
        now = self._clock().isoformat(timespec="milliseconds")
        record = RunRecord(
            run=ordered.run, name=config.name, config_digest=config.digest, graph_digest="0" * 64,
            engine=engine, started=now, finished=None, outcome="running", budgets={}, steps={},
            sources={DATA: data.digest}, wall_s=0.0, critical_path_s=0.0, actor=ordered.actor,
            machine=self.machine, work=self.work,
        )  # fmt: skip
        put_started(self.store, record)
        self.begun.append(ordered.run)
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        if read_cancellation(self.store, ordered.run):  # as a run looks for it
            outcome = "cancelled"
        now = self._clock().isoformat(timespec="milliseconds")
        if outcome == "killed":
            fault = "its engine was killed, last seen at " + now
            put_finished(self.store, replace(record, outcome="broken", finished=now, fault=fault))
            raise Killed
        steps = {}
        if outcome in ("failed", "user fault"):
            steps = {"train": {
                "state": "failed", "what": "w", "fix": "f", "user_fault": outcome == "user fault",
            }}  # fmt: skip
            outcome = "failed"
        if outcome == "done":
            if not ordered.counts():
                outcome = "cancelled"
            else:
                register_release(self.store, config.name, ordered.run, "1" * 64)
        put_finished(self.store, replace(record, outcome=outcome, finished=now, steps=steps))
        return Launched(ordered.run, outcome, {}, 0.0, 0.0, None)


class World:
    """Everything together.

    Args:
        store: Where.
        folder: For the data.
    """

    def __init__(self, store: Store, folder: Path) -> None:
        self.store, self.folder = store, folder
        self.data = folder / "data"
        self.clock = Clock()
        self.runs = Runs(store, self.clock)
        self.upload("a", 3)

    def upload(self, label: str, count: int, begin: int = 0) -> None:
        """Write files, all with other contents."""
        for number in range(begin, begin + count):
            self.write(f"{label}/{number}.png", f"{label} {number}".encode())

    def write(self, name: str, content: bytes) -> None:
        """Write a file of the data."""
        (self.data / name).parent.mkdir(parents=True, exist_ok=True)
        (self.data / name).write_bytes(content)

    def remove(self, name: str) -> None:
        """Remove a file of the data."""
        (self.data / name).unlink()

    def trigger(
        self,
        name: str = "t",
        schedule: ScheduleSettings | None = None,
        watch: WatchSettings | None = None,
        **more,
    ) -> Trigger:
        """Add a trigger."""
        config = {
            "name": "tiny", "task": "verification", "data": str(self.data),
            "image": {"height": 8, "width": 8, "channels": 1},
            "teacher": {"backbone": "conv", "epochs": 1},
            "variants": {"a": [{"distill": {"backbone": "conv", "epochs": 1}}]},
            "store": self.store.uri,
        }  # fmt: skip
        now = self.clock().isoformat(timespec="seconds")
        given = {
            "uid": f"uid-{name}", "name": name, "config": json.dumps(config), "config_digest": "0" * 64,
            "engine": "local", "output": str(self.folder / "out"), "retries": 2, "since": now,
            "created": now, "actor": "somebody", "schedule": schedule, "watch": watch,
        }  # fmt: skip
        return put_trigger(self.store, Trigger(**{**given, **more}))

    def ticker(self, **more) -> Ticker:
        """A process that ticks."""
        given = {"launcher": self.runs, "lease_s": 1.0, **more}
        return Ticker(self.store, clock=self.clock, **given)

    def tick(self, name: str | None = None, **more) -> list[tuple[str, str]]:
        """Tick in a process of its own; what was decided, and why."""
        ticker = self.ticker(**more)
        try:
            return [(row.what, row.why) for one in ticker.tick(name) for row in one.rows]
        finally:
            ticker.close()
