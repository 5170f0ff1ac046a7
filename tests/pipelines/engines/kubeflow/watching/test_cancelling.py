"""Cancelling a run of a cluster: its watcher ends it, or who asks does where nobody watches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from components.contract.errors import UserError
from pipelines.cli.main import main
from pipelines.engines.engine import Cluster as Place
from pipelines.launch.cancelling import cancel_run
from pipelines.runs.actions import list_actions
from pipelines.runs.live.cancelling import ask_to_end
from pipelines.runs.live.events import Event, StepSkipped, StepStarted
from pipelines.runs.records import list_runs, read_run
from pipelines.stores.opening import open_store
from tests.pipelines.engines.kubeflow.single_launch import (
    Launch,
    canceling,
    interrupting,
    record_of,
    synced_runs,
)
from tests.servers.kfp.cluster import Cluster


def test_who_watches_ends_the_run_in_the_cluster_and_records_who_asked(
    cluster: Cluster, config_path: Path, tmp_path: Path
) -> None:
    started = Launch(cluster, config_path, tmp_path / "store")
    store = open_store(str(tmp_path / "store"))

    def ask(event: Event) -> None:
        if isinstance(event, StepStarted) and event.step == "train":
            (run,) = list_runs(store)
            # No address: whoever watches has the cluster, and this process needs none.
            asked = cancel_run(store, run.run, actor="jane", reason="wrong data")
            assert not asked.cluster
            cluster.kfp.after = lambda _: None  # it would be done before anybody looks
            canceling(cluster)

    started.on_event = ask
    launched = started()
    assert launched.outcome == "cancelled"
    assert cluster.kfp.requests["terminate_run"] == 1
    assert isinstance(launched.steps["publish"], StepSkipped)
    asked = record_of(launched, tmp_path / "store").cancelled or {}
    assert (asked["actor"], asked["reason"]) == ("jane", "wrong data")
    assert launched.cancelled == asked


@pytest.fixture
def left(cluster: Cluster, config_path: Path, tmp_path: Path) -> str:
    """A run that goes on in the cluster, and that nobody watches."""
    started = Launch(cluster, config_path, tmp_path / "store")
    started.on_event = interrupting(started.events, "train")
    launched = started()
    assert launched.outcome == "running"
    canceling(cluster)
    return launched.run


def test_what_nobody_watches_is_ended_in_the_cluster(
    cluster: Cluster, left: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("SLIMLINE_ACTOR", "jane")
    store = str(tmp_path / "store")
    words = ["--store", store, "--host", cluster.kfp.url, "--reason", "wrong data"]
    assert main(["cancel", left, *words]) == 0
    said = capsys.readouterr().out
    assert f"{left}: its cluster ends it, as jane asked: wrong data; then: slimline sync" in said
    assert cluster.kfp.requests["terminate_run"] == 1
    synced = synced_runs(cluster, tmp_path / "store")
    assert [(one.run, one.outcome) for one in synced] == [(left, "cancelled")]
    record = read_run(open_store(store), left)
    assert (record.cancelled or {})["reason"] == "wrong data"
    (action,) = list_actions(open_store(store), 9)
    assert (action.actor, action.action, action.what) == ("jane", "cancel", left)
    assert main(["show", left, "--store", store]) == 0
    assert "cancelled, as jane asked: wrong data" in capsys.readouterr().out
    assert main(["cancel", left, *words, "--json"]) == 2
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert document["error"]["what"] == f"the run {left} has ended: cancelled"


def test_what_has_ended_in_the_cluster_is_not_cancelled(
    cluster: Cluster, left: str, tmp_path: Path
) -> None:
    (run,) = cluster.kfp.backend.runs.values()
    cluster.complete(run["run_id"])
    store = open_store(str(tmp_path / "store"))
    with pytest.raises(UserError, match="has ended in the cluster: succeeded") as refused:
        cancel_run(store, left, actor="jane", cluster=Place(host=cluster.kfp.url))
    assert "slimline sync --engine kubeflow --host" in refused.value.fix
    assert cluster.kfp.requests["terminate_run"] == 0


def test_another_server_is_not_taken_for_the_runs_own(
    cluster: Cluster, left: str, tmp_path: Path
) -> None:
    store = open_store(str(tmp_path / "store"))
    (run,) = cluster.kfp.backend.runs.values()
    run["display_name"] = "digits-20260102-030405-0a0b"
    with pytest.raises(UserError, match=f"has no run {left}") as refused:
        cancel_run(store, left, actor="jane", cluster=Place(host=cluster.kfp.url))
    assert "--host URL" in refused.value.fix
    assert cluster.kfp.requests["terminate_run"] == 0


def test_without_an_address_it_says_what_is_missing(
    left: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KF_PIPELINES_ENDPOINT", raising=False)
    store = open_store(str(tmp_path / "store"))
    with pytest.raises(UserError, match=f"nobody watches the run {left}"):
        cancel_run(store, left, actor="jane")


def test_a_cancel_that_was_asked_for_while_nobody_could_be_told_ends_the_next_watcher(
    cluster: Cluster, left: str, config_path: Path, tmp_path: Path
) -> None:
    ask_to_end(open_store(str(tmp_path / "store")), left, "jane", "wrong data")
    watched = Launch(cluster, config_path, tmp_path / "store")
    canceling(cluster)
    launched = watched()
    assert (launched.run, launched.outcome) == (left, "cancelled")
    assert cluster.kfp.requests["terminate_run"] == 1
