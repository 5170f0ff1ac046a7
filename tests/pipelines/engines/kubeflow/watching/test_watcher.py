"""Watching: what is told while a run goes on, what is tried again, and what ends it."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from components.contract.errors import UserError
from pipelines.engines.kubeflow.watching import watcher
from pipelines.runs.live.events import (
    RunRetried,
    StepCached,
    StepDone,
    StepFailed,
    StepSkipped,
    StepStarted,
)
from pipelines.runs.records import list_runs
from pipelines.stores.opening import open_store
from tests.pipelines.engines.kubeflow.single_launch import Launch, interrupting, record_of
from tests.servers.kfp import cluster as kfp_cluster
from tests.servers.kfp.cluster import Cluster

TINY = Path(__file__).parents[4] / "data" / "tiny.yaml"


@pytest.fixture
def retrying(tmp_path: Path) -> Path:
    """The smallest configuration, tried again twice."""
    return kfp_cluster.configured(TINY, tmp_path / "retrying.yaml", retries=2, backoff_s=1)


def kinds(events: list[Any], step: str) -> list[str]:
    """Return what was told of a step, but for what becomes of images."""
    told = [type(event).__name__ for event in events if getattr(event, "step", None) == step]
    return [kind for kind in told if kind != "ImagesCounted"]


# what is tried again ----------------------------------------------------------------------------


def test_a_run_that_failed_is_tried_again_and_ends_well(
    cluster: Cluster, retrying: Path, tmp_path: Path
) -> None:
    started = Launch(cluster, retrying, tmp_path / "store")
    started.fail("distill-conv-025", printed="12:00 epoch 1\n")
    began = time.monotonic()
    launched = started()
    assert launched.outcome == "done"
    assert time.monotonic() - began >= 1, "backoff_s"
    assert len(cluster.kfp.backend.runs) == 1
    assert cluster.kfp.requests["retry_run"] == 1
    (retried,) = [event for event in started.events if isinstance(event, RunRetried)]
    assert (retried.number, retried.most, retried.steps) == (1, 2, ("distill-conv-025",))
    assert "was killed" in retried.why
    attempts = [
        event.attempt
        for event in started.events
        if isinstance(event, StepStarted) and event.step == "distill-conv-025"
    ]
    assert attempts[-1] == 2
    assert kinds(started.events, "train") == ["StepDone"], "what is done is kept"
    assert [one["steps"] for one in record_of(launched, tmp_path / "store").retries] == [
        ["distill-conv-025"]
    ]


def test_it_is_tried_again_no_more_often_than_configured(
    cluster: Cluster, retrying: Path, tmp_path: Path
) -> None:
    started = Launch(cluster, retrying, tmp_path / "store")
    backend = cluster.kfp.backend

    def after(operation: str) -> None:
        if operation == "get_run":
            for run in backend.runs.values():
                if run["state"] in ("PENDING", "RUNNING"):
                    cluster.fail(run["run_id"], "distill-conv-025")

    cluster.kfp.after = after
    launched = started()
    assert launched.outcome == "failed"
    assert cluster.kfp.requests["retry_run"] == 2
    failed = launched.steps["distill-conv-025"]
    assert isinstance(failed, StepFailed)
    assert failed.what.endswith("; tried again 2 times, the most that is configured")
    root, (run,) = open_store_root(cluster), backend.runs
    counted = json.loads(root[f"tiny/{run}/retries.json"])["retries"]
    assert [one["number"] for one in counted] == [1, 2]
    assert [one["number"] for one in record_of(launched, tmp_path / "store").retries] == [1, 2]


def open_store_root(cluster: Cluster) -> dict[str, bytes]:
    prefix = f"{kfp_cluster.ROOT}/"
    names = kfp_cluster.names(cluster.gcs, prefix)
    return {name.removeprefix(prefix): kfp_cluster.read(cluster.gcs, name) for name in names}


@pytest.mark.parametrize(
    "how", [{"printed": "no\n  fix: it\nexit code 2\n"}, {"cancelled": True}], ids=str
)
def test_what_no_retry_helps_is_not_tried_again(
    cluster: Cluster, retrying: Path, tmp_path: Path, how: dict[str, Any]
) -> None:
    started = Launch(cluster, retrying, tmp_path / "store")
    if how.pop("cancelled", False):
        backend = cluster.kfp.backend

        def after(operation: str) -> None:
            if operation == "get_run":
                for run in backend.runs.values():
                    if run["state"] == "RUNNING":  # somebody else's hand, in the user interface
                        backend.terminate(run["run_id"])
                        return
            started.move_on(operation)

        cluster.kfp.after = after
        outcome = "cancelled"
    else:
        started.fail("train", **how)
        outcome = "failed"
    launched = started()
    assert launched.outcome == outcome
    assert cluster.kfp.requests["retry_run"] == 0
    if outcome == "cancelled":
        assert not any(isinstance(event, StepFailed) for event in started.events)
        assert record_of(launched, tmp_path / "store").outcome == "cancelled"


def test_a_retry_that_stays_failed_is_said(
    cluster: Cluster, retrying: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "LEAVES_S", 0.2)
    started = Launch(cluster, retrying, tmp_path / "store")
    started.fail("train")
    cluster.kfp.backend.stuck = True
    launched = started()
    assert launched.outcome == "failed"
    failed = launched.steps["train"]
    assert isinstance(failed, StepFailed)
    assert "it was to be tried again, and the server left it FAILED for 0.2 s" in failed.what


# what is told meanwhile -------------------------------------------------------------------------


def test_a_cached_step_is_told_to_be_cached_when_it_is(
    cluster: Cluster, config_path: Path, tmp_path: Path
) -> None:
    Launch(cluster, config_path, tmp_path / "store")()
    (before,) = cluster.kfp.backend.runs
    # From another store, which knows of no earlier run: the cluster's own cache is asked.
    again = Launch(cluster, config_path, tmp_path / "elsewhere", cached_from=before)
    launched = again()
    assert launched.outcome == "done"
    assert kinds(again.events, "train") == ["StepCached", "StepDone"]
    told = [event.step for event in again.events if isinstance(event, StepCached)]
    ran = [event.step for event in again.events if isinstance(event, StepStarted)]
    assert sorted(ran) == ["evaluate-sealed", "publish", "select"]
    assert sorted(told + ran) == sorted(cluster.graph.by_name)
    position = [type(event).__name__ for event in again.events].index("StepStarted")
    before_select = [event for event in again.events[:position] if isinstance(event, StepCached)]
    assert len(before_select) == len(told), "not only at the run's end"


def test_where_the_list_stands_still_the_pipeline_root_tells(
    cluster: Cluster, config_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "STILL_S", 0.02)
    started = Launch(cluster, config_path, tmp_path / "store")
    backend = cluster.kfp.backend
    done_at_the_end: list[int] = []

    def after(operation: str) -> None:
        if operation != "get_run":
            return
        (run,) = backend.runs.values()
        if run["state"] == "RUNNING":
            backend.freeze(run["run_id"])
        done = sum(isinstance(event, StepDone) for event in started.events)
        laid = sum(1 for identifier, _ in cluster.places if identifier == run["run_id"])
        if done == laid:  # one after the other, each only when the one before is imported
            started.move_on(operation)
            done_at_the_end.append(done)

    cluster.kfp.after = after
    launched = started()
    assert launched.outcome == "done"
    assert done_at_the_end[-1] == len(cluster.graph.steps)
    told = {step: kinds(started.events, step) for step in cluster.graph.by_name}
    assert told == {step: ["StepDone"] for step in cluster.graph.by_name}


def test_a_step_is_not_imported_before_all_of_it_is_there(
    cluster: Cluster, config_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "STILL_S", 0.01)
    started = Launch(cluster, config_path, tmp_path / "store")
    backend = cluster.kfp.backend
    held: dict[str, bytes] = {}
    polls = iter(range(1000))

    def after(operation: str) -> None:
        if operation != "get_run":
            return
        (run,) = backend.runs.values()
        if run["state"] == "PENDING":
            backend.begin(run["run_id"])
            backend.freeze(run["run_id"])
            folder = cluster.execute(run["run_id"], "ingest")
            name = next(n for n in kfp_cluster.names(cluster.gcs, folder) if "manifest" in n)
            held[name] = kfp_cluster.read(cluster.gcs, name)
            kfp_cluster.remove(cluster.gcs, name)
        elif next(polls) == 30:
            assert not any(isinstance(event, StepDone) for event in started.events)
            for name, data in held.items():
                kfp_cluster.put(cluster.gcs, name, data)
        elif any(isinstance(event, StepDone) for event in started.events):
            started.move_on(operation)

    cluster.kfp.after = after
    assert started().outcome == "done"


# what ends it -----------------------------------------------------------------------------------


def test_a_run_that_is_deleted_meanwhile_is_said(
    cluster: Cluster, config_path: Path, tmp_path: Path
) -> None:
    started = Launch(cluster, config_path, tmp_path / "store")

    def on_event(event: Any) -> None:
        if isinstance(event, StepDone):
            for run in list(cluster.kfp.backend.runs):
                cluster.kfp.backend.delete_run(run)

    started.on_event = on_event
    with pytest.raises(UserError, match="somebody deleted it while it was watched") as caught:
        started()
    assert "run again" in caught.value.fix
    (record,) = list_runs(open_store(str(tmp_path / "store")))
    assert record.outcome == "broken", "not one that goes on"
    cluster.kfp.after = lambda _: None
    again = Launch(cluster, config_path, tmp_path / "store")
    assert again().outcome == "done"


def test_a_run_that_is_deleted_when_it_is_to_end_is_said(
    cluster: Cluster, config_path: Path, tmp_path: Path
) -> None:
    started = Launch(cluster, config_path, tmp_path / "store")
    interrupt = interrupting(started.events, "ingest")

    def on_event(event: Any) -> None:
        interrupt(event)
        if isinstance(event, StepStarted) and event.step == "ingest":
            for run in list(cluster.kfp.backend.runs):
                cluster.kfp.backend.delete_run(run)

    started.on_event = on_event
    with pytest.raises(UserError, match="somebody deleted it while it was watched"):
        started(cancel_on_interrupt=True)


def test_a_statement_that_is_broken_is_an_error_with_its_fix(
    cluster: Cluster, config_path: Path, tmp_path: Path
) -> None:
    started = Launch(cluster, config_path, tmp_path / "store")

    def after(operation: str) -> None:
        started.move_on(operation)
        for run, step in list(cluster.places):
            if step == "train":
                place = cluster.statement(run, step)
                statement = json.loads(kfp_cluster.read(cluster.gcs, place))
                statement.pop("code", None)
                kfp_cluster.put(cluster.gcs, place, json.dumps(statement).encode())

    cluster.kfp.after = after
    with pytest.raises(UserError, match=r"train of the run .* cannot be imported") as caught:
        started()
    assert "cache: false" in caught.value.fix


def test_a_workflow_that_the_server_refuses_ends_the_launch_at_once(
    cluster: Cluster, config_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.servers.kfp.faults import RefusedError

    said = (
        "Failed to create a new run: InternalServerError: Failed to validate workflow for (): "
        "templates.entrypoint.tasks.root templates.root sorting failed: duplicated nodeName "
        "convert-x-driver"
    )

    def refuse(_body: Any) -> Any:
        raise RefusedError(500, said)

    monkeypatch.setattr(cluster.kfp.backend, "create_run", refuse)
    began, others = time.monotonic(), threading.active_count()
    with pytest.raises(UserError, match="duplicated nodeName convert-x-driver") as caught:
        Launch(cluster, config_path, tmp_path / "store")()
    assert time.monotonic() - began < 10
    assert cluster.kfp.requests["create_run"] == 1
    assert "names of variants" in caught.value.fix
    assert threading.active_count() - others < 40, "a thread a look piles up"


def test_skipped_steps_of_a_cancelled_run_say_who_was_running(
    cluster: Cluster, config_path: Path, tmp_path: Path
) -> None:
    started = Launch(cluster, config_path, tmp_path / "store")
    backend, places = cluster.kfp.backend, cluster.places
    running: list[str] = []

    def after(operation: str) -> None:
        if operation == "get_run":
            (run,) = backend.runs.values()
            if run["state"] == "RUNNING" and any(
                isinstance(event, StepDone) for event in started.events
            ):
                left = [s for s in cluster.graph.ordered if (run["run_id"], s.name) not in places]
                running.append(left[0].name)
                backend.start(run["run_id"], left[0].name)
                backend.terminate(run["run_id"])
                backend.end(run["run_id"])
                return
        started.move_on(operation)

    cluster.kfp.after = after
    launched = started()
    assert launched.outcome == "cancelled"
    skipped = [event for event in launched.steps.values() if isinstance(event, StepSkipped)]
    assert len(skipped) > 1
    assert [event.step for event in skipped if event.cancelled] == running
