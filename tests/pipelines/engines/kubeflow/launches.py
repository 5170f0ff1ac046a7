"""Launches on a cluster of the tests, one after the other, and what each submitted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from pipelines.compress import graph_of
from pipelines.config.loading import load
from pipelines.engines.engine import Cluster as Place
from pipelines.launch.launching import Launched, launch
from pipelines.runs.live.events import Event, StepDone
from tests.servers.kfp import cluster as kfp_cluster
from tests.servers.kfp.cluster import Cluster


class Launching:
    """Launches configurations on a cluster that takes one step whenever it is asked."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster, self.folder = cluster, folder
        self.events: list[Event] = []
        self.on_event: Callable[[Event], None] = self.events.append
        cluster.kfp.after = self.after

    def after(self, operation: str) -> None:
        if operation == "get_run":
            for run in list(self.cluster.kfp.backend.runs):
                self.cluster.advance(run)

    def __call__(self, config: Path, store: str = "store", **place: Any) -> Launched:
        self.events.clear()
        self.cluster.graph = graph_of(load(config))
        return launch(
            load(config),
            engine="kubeflow",
            store=str(self.folder / store),
            output=self.folder / f"out-{store}",
            cluster=Place(host=self.cluster.kfp.url, **place),
            on_event=lambda event: self.on_event(event),
        )

    def tasks(self, place: int = -1) -> tuple[set[str], set[str]]:
        """The steps that one of the runs of Kubeflow carried out, and those that it imported."""
        run = list(self.cluster.kfp.backend.runs)[place]
        steps = {step.name for step in self.cluster.steps(run)}
        imports = kfp_cluster.imports_of(self.cluster._spec(run))
        return steps, {step for step, _ in imports}

    def spec(self, place: int = -1) -> dict[str, Any]:
        return dict(self.cluster._spec(list(self.cluster.kfp.backend.runs)[place]))


def changed(config: Path, **changes: Any) -> Path:
    """The same configuration with other values, in a file beside it."""
    path = config.with_name("changed.yaml")
    path.write_text(yaml.safe_dump(yaml.safe_load(config.read_text()) | changes, sort_keys=False))
    return path


def cached(launched: Launched) -> set[str]:
    return {
        name for name, one in launched.steps.items() if isinstance(one, StepDone) and one.cached
    }
