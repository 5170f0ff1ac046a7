"""Whole runs in a cluster that executes them, at each version, with what goes wrong there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.config.loading import load
from pipelines.engines.engine import Cluster as Place
from pipelines.engines.kubeflow import retrying, watching
from pipelines.launch.launching import Launched, launch
from pipelines.runs.events import Event, StepDone, StepFailed
from tests.servers.gcs.server import GcsServer
from tests.servers.kfp import cluster as kfp_cluster
from tests.servers.kfp.cluster import LocalRun
from tests.servers.kfp.executing import Executing, Seeded
from tests.servers.kfp.releases import VERSIONS
from tests.servers.kfp.server import KfpServer
from tests.servers.kfp.stand_ins import StandIns

TINY = Path(__file__).parents[3] / "data" / "tiny.yaml"


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "POLL_MAX_S", 0.01)
    monkeypatch.setattr(watching, "POLL_S", 0.01)
    monkeypatch.setattr(retrying, "_FACTOR", 1)


class Started:
    """A launch on a cluster that carries out one task whenever it is asked how a run is."""

    def __init__(self, executing: Executing, config: Path, folder: Path) -> None:
        self.executing, self.config, self.folder = executing, config, folder
        self.events: list[Event] = []

    def __call__(self, **place: Any) -> Launched:
        self.executing.kfp.after = self.executing.advance_all
        return launch(
            load(self.config),
            engine="kubeflow",
            store=str(self.folder / "store"),
            output=self.folder / "out",
            cluster=Place(host=self.executing.kfp.url, **place),
            on_event=self.events.append,
        )


@pytest.fixture
def started(gcs: GcsServer, tiny_run: LocalRun, tmp_path: Path) -> Iterator[Callable[..., Started]]:
    """Make a launch of the smallest configuration on a server of a version."""
    servers: list[KfpServer] = []
    kfp_cluster.put_data(gcs)
    config_path = kfp_cluster.configured(TINY, tmp_path / "tiny.yaml", retries=8, backoff_s=1)

    def make(version: str, **how: Any) -> Started:
        server = KfpServer(version=version)
        servers.append(server)
        server.__enter__()
        stand_ins = StandIns(tiny_run.store, tiny_run.run)
        return Started(Executing(server, gcs, stand_ins.pod, **how), config_path, tmp_path)

    yield make
    for server in servers:
        server.__exit__()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_run_in_which_pods_are_lost(started: Callable[..., Started], version: str) -> None:
    faults = Seeded(seed=7, lost=0.1)
    run = started(version, faults=faults)
    launched = run()
    assert launched.outcome == "done", [e for e in run.events if isinstance(e, StepFailed)]
    assert sum(faults.struck.values()) >= 2, "something was lost"
    assert len(run.executing.kfp.backend.runs) == 1
    steps = run.executing.kfp.backend.workflows.popitem()[1].tasks
    done = [event.step for event in run.events if isinstance(event, StepDone)]
    assert sorted(done) == sorted(name for name, task in steps.items() if not task.importer)
