"""Reading logs of cluster runs: from the store, from the pipeline root, from the server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines.cli.main import main
from pipelines.engines.kubeflow.watching import reading_logs
from pipelines.runs.live.events import StepStarted
from pipelines.runs.records import read_run
from pipelines.stores.opening import open_store
from tests.pipelines.engines.kubeflow.single_launch import Launch, interrupting
from tests.servers.kfp import cluster as kfp_cluster
from tests.servers.kfp.cluster import Cluster

FAULT = "too small\n  fix: a larger one\nexit code 2\n"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_logs, "POLL_S", 0.01)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


def logs(store: Path, *words: str) -> int:
    return main(["logs", *words, "--store", str(store)])


def test_what_failed_is_told_when_cluster_and_bucket_are_gone(
    cluster: Cluster, config_path: Path, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    started = Launch(cluster, config_path, store)
    started.fail("train", printed=FAULT)
    launched = started()
    cluster.kfp.backend.delete_run(next(iter(cluster.kfp.backend.runs)))
    for name in kfp_cluster.names(cluster.gcs):
        kfp_cluster.remove(cluster.gcs, name)
    capsys.readouterr()
    assert logs(store, launched.run, "train") == 0
    assert capsys.readouterr().out == FAULT
    assert logs(store, launched.run, "train", "--follow") == 0
    assert capsys.readouterr().out == FAULT


def test_what_was_done_is_told_by_the_bucket_also_of_a_cached_step(
    cluster: Cluster, config_path: Path, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Launch(cluster, config_path, store)()
    (before,) = cluster.kfp.backend.runs
    folder = cluster.places[before, "train"]
    kfp_cluster.put(cluster.gcs, f"{folder}/executor-logs-0", b"epoch 1\nexit code 0\n")
    again = Launch(cluster, config_path, store, cached_from=before)()
    cluster.kfp.always("*", "401")
    capsys.readouterr()
    assert logs(store, again.run, "train") == 0
    assert capsys.readouterr().out == "epoch 1\nexit code 0\n"


def test_a_log_that_nobody_has_is_said_with_where_to_look(
    cluster: Cluster, config_path: Path, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    launched = Launch(cluster, config_path, store)()
    capsys.readouterr()
    assert logs(store, launched.run, "train") == 2
    said = capsys.readouterr().err
    assert "nobody has the log of train" in said
    assert "kubectl logs -n kubeflow -c main" in said
    assert logs(store, launched.run, "trian") == 2
    assert "did you mean 'train'" in capsys.readouterr().err


@pytest.fixture
def going(cluster: Cluster, config_path: Path, store: Path) -> str:
    """A run that goes on in the cluster, while ``train`` runs there; nobody watches it."""
    started = Launch(cluster, config_path, store)
    backend = cluster.kfp.backend

    def after(operation: str) -> None:
        if operation != "get_run":
            return
        (run,) = backend.runs.values()
        if any(step == "ingest" for _, step in cluster.places):
            backend.start(run["run_id"], "train")
            cluster.kfp.after = lambda _: None
            return
        started.move_on(operation)

    cluster.kfp.after = after
    started.on_event = interrupting(started.events, "train")
    launched = started()
    assert launched.outcome == "running"
    assert any(isinstance(event, StepStarted) for event in started.events)
    return launched.run


def test_what_runs_is_told_by_the_server(
    cluster: Cluster, going: str, store: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    (run,) = cluster.kfp.backend.runs
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", cluster.kfp.url)
    cluster.kfp.backend.printed(run, "train", "epoch 1\n")
    capsys.readouterr()
    assert read_run(open_store(str(store)), going).outcome == "running"
    assert logs(store, going, "train") == 0
    assert capsys.readouterr().out == "epoch 1\n"


def test_a_server_that_asks_who_asks_is_told(
    cluster: Cluster, going: str, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (run,) = cluster.kfp.backend.runs
    cluster.kfp.backend.printed(run, "train", "epoch 1\n")
    cluster.kfp.token = "mine"
    capsys.readouterr()
    host = ("--host", cluster.kfp.url)
    assert logs(store, going, "train", *host, "--token-command", "echo mine") == 0
    assert capsys.readouterr().out == "epoch 1\n"


def test_a_log_is_followed_through_its_attempts_until_the_step_has_ended(
    cluster: Cluster, going: str, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backend = cluster.kfp.backend
    (run,) = backend.runs
    backend.printed(run, "train", "epoch 1\n")
    texts = iter(["epoch 1\nepoch 2\n", "again: epoch 1\n"])

    def after(operation: str) -> None:
        if operation == "get_run":
            if (text := next(texts, None)) is not None:
                backend.printed(run, "train", text)
            else:
                backend.finish(run, "train")

    cluster.kfp.after = after
    capsys.readouterr()
    assert logs(store, going, "train", "--follow", "--host", cluster.kfp.url) == 0
    assert capsys.readouterr().out == "epoch 1\nepoch 2\nagain: epoch 1\n"


def test_following_is_refused_where_the_server_gives_no_logs(
    cluster: Cluster, going: str, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert logs(store, going, "train", "--follow", "--host", cluster.kfp.url) == 2
    said = capsys.readouterr().err
    assert "gives no logs of pods that run, so train cannot be followed" in said
    assert "$') --follow, or open" in said


def test_a_step_that_has_not_started_is_waited_for(
    cluster: Cluster, going: str, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    words: Any = ("--host", cluster.kfp.url)
    assert logs(store, going, "publish", *words) == 2
    assert "has not started" in capsys.readouterr().err
