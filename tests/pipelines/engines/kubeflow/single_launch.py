"""One launch on a cluster of the tests' own that moves on whenever it is asked how a run is."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.config.loading import load
from pipelines.engines.engine import Cluster as Place
from pipelines.launch.launching import Launched, launch
from pipelines.runs.cache import Cache
from pipelines.runs.live.events import Event, StepStarted
from pipelines.runs.records import RunRecord, read_run
from pipelines.stores.opening import open_store
from tests.servers.kfp.cluster import Cluster


class Launch:
    """A launch on a cluster that takes one step whenever it is asked how the run is."""

    def __init__(self, cluster: Cluster, config: Path, store: Path, **how: Any) -> None:
        self.events: list[Event] = []
        self.cluster, self.config, self.store = cluster, config, store
        self.how = how
        cluster.kfp.after = self.move_on
        self.on_event: Callable[[Event], None] = self.events.append

    def move_on(self, operation: str) -> None:
        if operation == "get_run":
            for run in list(self.cluster.kfp.backend.runs):
                self.cluster.advance(run, **self.how)

    def fail(self, step: str, **how: Any) -> None:
        """Let the run come to a step that fails, once."""
        left = [how]

        def after(operation: str) -> None:
            if operation == "get_run":
                for run in self.cluster.kfp.backend.runs.values():
                    if run["state"] == "PENDING" and left:
                        self.cluster.fail(run["run_id"], step, **left.pop())
                        return
                self.move_on(operation)

        self.cluster.kfp.after = after

    def __call__(self, **place: Any) -> Launched:
        place = {"host": self.cluster.kfp.url, **place}
        return launch(
            load(self.config),
            engine="kubeflow",
            store=str(self.store),
            output=self.store.parent / f"out-{self.store.name}",
            cluster=Place(**place),
            on_event=self.on_event,
        )


def canceling(cluster: Cluster, started: Launch | None = None) -> None:
    """Have the server end what was terminated, and everything else move on."""
    backend = cluster.kfp.backend

    def after(operation: str) -> None:
        for run in backend.runs.values():
            if run["state"] == "CANCELING":
                backend.end(run["run_id"], "CANCELED")
                return
        if started:
            started.move_on(operation)

    cluster.kfp.after = after


def record_of(launched: Launched, store: Path) -> RunRecord:
    return read_run(open_store(str(store)), launched.run)


def interrupting(events: list[Event], step: str) -> Callable[[Event], None]:
    def on_event(event: Event) -> None:
        events.append(event)
        if isinstance(event, StepStarted) and event.step == step:
            os.kill(os.getpid(), signal.SIGINT)

    return on_event


def synced_runs(cluster: Cluster, store: Path) -> list[Any]:
    from pipelines.engines.kubeflow.api.connection import Connection
    from pipelines.engines.kubeflow.syncing import sync

    scratch = store.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    opened = open_store(str(store))
    return sync(Connection(cluster.kfp.url), Cache(opened, scratch), scratch)
