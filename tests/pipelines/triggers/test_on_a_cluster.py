"""A watch whose runs go on in a cluster: whoever watches one and is gone, the next tick goes on."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.config.loading import load
from pipelines.engines.kubeflow.watching import watcher
from pipelines.launch.launching import launch
from pipelines.runs.live.cancelling import read_cancellation
from pipelines.runs.live.events import StepStarted
from pipelines.runs.records import list_runs
from pipelines.runs.releases.registry import registered
from pipelines.stores.opening import open_store
from pipelines.stores.store import Store
from pipelines.triggers.kept import config_text, put_trigger
from pipelines.triggers.launches import launches
from pipelines.triggers.running import supersede
from pipelines.triggers.settings import Trigger, WatchSettings
from pipelines.triggers.ticking import Ticker
from tests.pipelines.triggers.worlds import BEGIN, Clock, Killed
from tests.servers.kfp.cluster import Cluster

Ticking = Callable[..., list[str]]


@pytest.fixture
def left(
    cluster: Cluster, config_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Store, Trigger, Ticking]:
    """A trigger whose run goes on in the cluster, while who watched it was killed."""
    monkeypatch.setattr(watcher, "POLL_MAX_S", 0.01)
    monkeypatch.setattr(watcher, "POLL_S", 0.01)
    store, clock, config = open_store(str(tmp_path / "store")), Clock(), load(config_path)
    now = BEGIN.isoformat()
    trigger = put_trigger(
        store,
        Trigger(
            "uid-c", "c", config_text(config), config.digest, "kubeflow",
            str(tmp_path / "out"), 2, now, now, "me",
            host=cluster.kfp.url, watch=WatchSettings(quiet_s=0),
        ),
    )  # fmt: skip

    def one_step_on(operation: str) -> None:
        if operation == "get_run":
            for run in list(cluster.kfp.backend.runs):
                cluster.advance(run)

    def killed_at_train(_name: str, event: object) -> None:
        if isinstance(event, StepStarted) and event.step == "train":
            raise Killed

    cluster.kfp.after = one_step_on

    def tick(**more: object) -> list[str]:
        ticker = Ticker(store, clock=clock, launcher=launch, lease_s=1.0, **more)
        try:
            return [row.what for one in ticker.tick() for row in one.rows]
        finally:
            ticker.close()
            clock.passes(minutes=1)

    assert tick() == ["wait"]
    assert tick() == ["wait"]
    with pytest.raises(Killed):
        tick(on_event=killed_at_train)
    return store, trigger, tick


def test_a_run_whose_watcher_is_gone_is_watched_again(
    left: tuple[Store, Trigger, Ticking], cluster: Cluster
) -> None:
    store, trigger, tick = left
    (begun,) = launches(store, trigger).values()
    assert begun.state(2) == "running"
    assert begun.latest
    assert tick() == ["launch"]
    (ended,) = launches(store, trigger).values()
    assert (ended.state(2), ended.latest) == ("done", begun.latest)
    assert [run.run for run in list_runs(store)] == [begun.latest.run]
    assert [name for name, _ in registered(store, "tiny")] == [begun.latest.run]
    backend = cluster.kfp.backend
    assert [run["display_name"] for run in backend.runs.values()] == [begun.latest.run]
    assert tick() == ["nothing"]


def test_a_launch_that_is_superseded_ends_in_the_cluster_though_nobody_watches(
    left: tuple[Store, Trigger, Ticking], cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, trigger, _ = left
    monkeypatch.delenv("KF_PIPELINES_ENDPOINT", raising=False)
    (begun,) = launches(store, trigger).values()
    assert begun.latest
    supersede(store, trigger, begun, "the data grew", BEGIN.isoformat())
    assert cluster.kfp.requests["terminate_run"] == 1
    (ended,) = launches(store, trigger).values()
    assert ended.state(2) == "superseded"
    asked = read_cancellation(store, begun.latest.run)
    assert asked
    assert (asked.actor, asked.reason) == ("trigger c", "the data grew")
