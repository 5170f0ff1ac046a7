"""Submission: a graph that one run cannot hold runs in parts, whoever starts them."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from components.contract.errors import UserError
from pipelines.compress import graph_of
from pipelines.config.loading import load
from pipelines.engines.kubeflow.api.connection import Connection
from pipelines.engines.kubeflow.ir import gathered, limits
from pipelines.engines.kubeflow.launching import submission
from pipelines.engines.kubeflow.syncing import Synced, sync
from pipelines.runs.cache import Cache
from pipelines.runs.live.cancelling import ask_to_end
from pipelines.runs.live.events import Event, StepDone, StepFailed, StepStarted
from pipelines.runs.records import list_runs, read_run
from pipelines.runs.verifying import verify_store
from pipelines.stores.opening import open_store
from tests.pipelines.engines.kubeflow.launches import Launching, cached
from tests.servers.kfp import cluster as kfp_cluster
from tests.servers.kfp.cluster import Cluster

MOST = 8
"""So many steps fit into a run here."""


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(made: Any, *_: Any, **__: Any) -> UserError | None:
        return UserError("too many steps", "take fewer") if len(made.steps) > MOST else None

    monkeypatch.setattr(limits, "fault", fault)


def names(launching: Launching) -> list[str]:
    return [run["display_name"] for run in launching.cluster.kfp.backend.runs.values()]


def bring(launching: Launching, store: str = "store") -> list[Synced]:
    scratch = launching.folder / "scratch"
    scratch.mkdir(exist_ok=True)
    opened = open_store(str(launching.folder / store))
    return sync(Connection(launching.cluster.kfp.url), Cache(opened, scratch), scratch)


def test_a_graph_that_does_not_fit_runs_in_parts_as_one_run(
    launching: Launching, config_path: Path, tmp_path: Path
) -> None:
    launched = launching(config_path)
    assert launched.outcome == "done"
    assert names(launching) == [f"{launched.run} {number}/3" for number in (1, 2, 3)]
    parts = [launching.tasks(number)[0] for number in range(3)]
    assert all(len(part) <= MOST for part in parts)
    assert set.union(*parts) == set(launched.steps)
    assert sum(len(part) for part in parts) == len(launched.steps), "nothing twice"
    assert cached(launched) == set()
    done = [event.step for event in launching.events if isinstance(event, StepDone)]
    assert sorted(done) == sorted(launched.steps)
    store = open_store(str(tmp_path / "store"))
    (record,) = list_runs(store)
    assert (record.run, record.outcome) == (launched.run, "done")
    assert verify_store(store)[1] == []
    assert launching(config_path).outcome == "done"
    assert len(names(launching)) == 3, "the second time nothing runs"


def test_one_run_is_imported_from_its_parts_by_whoever_syncs(
    launching: Launching, config_path: Path, tmp_path: Path
) -> None:
    launched = launching(config_path)
    (synced,) = bring(launching, "elsewhere")
    assert synced.error is None, synced.error
    assert (synced.run, synced.state, synced.outcome) == (launched.run, "imported", "done")
    here = read_run(open_store(str(tmp_path / "store")), launched.run)
    there = read_run(open_store(str(tmp_path / "elsewhere")), launched.run)
    assert {n: s["outputs"] for n, s in there.steps.items()} == {
        n: s["outputs"] for n, s in here.steps.items()
    }
    assert {step["state"] for step in there.steps.values()} == {"done"}


def test_what_compares_all_variants_imports_their_results_at_once(
    launching: Launching, config_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathered, "IMPORTS_MAX", 1)
    launched = launching(config_path)
    assert launched.outcome == "done"
    cluster = launching.cluster
    (last,) = [run for run in cluster.kfp.backend.runs if "select" in names_of(cluster, run)]
    spec = cluster._spec(last)
    task = spec["root"]["dag"]["tasks"]["select"]
    listed = task["inputs"]["parameters"]["gathered"]["runtimeValue"]["constant"]
    select = cluster.graph.by_name["select"]
    own = names_of(cluster, last)
    assert listed["models"] == [
        None if ref.step in own else ref.step for ref in select.inputs["models"]
    ]
    of_variants = {name for name in task["dependentTasks"] if name.startswith("result-")}
    assert not [name for name in of_variants if name.startswith(("result-convert", "result-eval"))]
    (folder,) = [uri for (_, out), uri in kfp_cluster.imports_of(spec).items() if out == "gathered"]
    for port in ("models", "evaluations", "benchmarks"):
        for ref in select.inputs[port]:
            if ref.step not in own:
                place = f"{folder}/{ref.step}"
                assert kfp_cluster.names(cluster.gcs, f"{place}/statement.json")
                assert kfp_cluster.names(cluster.gcs, f"{place}/{ref.output}/")
    (synced,) = bring(launching, "elsewhere")
    assert (synced.state, synced.outcome) == ("imported", "done"), synced.error


def names_of(cluster: Cluster, run: str) -> set[str]:
    return {step.name for step in cluster.steps(run)}


def interrupted_in(launching: Launching, part: int) -> None:
    """Let the process end, as by Ctrl-C, when a step of a part begins."""

    def on_event(event: Event) -> None:
        launching.events.append(event)
        runs = launching.cluster.kfp.backend.runs
        if isinstance(event, StepStarted) and len(runs) == part:
            os.kill(os.getpid(), signal.SIGINT)

    launching.on_event = on_event


def test_run_again_continues_the_same_run(launching: Launching, config_path: Path) -> None:
    interrupted_in(launching, 2)
    left = launching(config_path)
    assert left.outcome == "running"
    assert names(launching) == [f"{left.run} {number}/3" for number in (1, 2)]
    launching.on_event = launching.events.append
    again = launching(config_path)
    assert (again.run, again.outcome) == (left.run, "done")
    assert names(launching) == [f"{left.run} {number}/3" for number in (1, 2, 3)]
    (record,) = list_runs(open_store(str(launching.folder / "store")))
    assert record.outcome == "done"


def test_sync_starts_no_part_of_what_somebody_cancelled(
    launching: Launching, config_path: Path, tmp_path: Path
) -> None:
    interrupted_in(launching, 1)
    left = launching(config_path)
    store = open_store(str(tmp_path / "store"))
    ask_to_end(store, left.run, "jane", "wrong data")
    runs = launching.cluster.kfp.backend.runs
    launching.cluster.complete(next(iter(runs)))
    (synced,) = bring(launching)
    assert (synced.run, synced.state, synced.outcome) == (left.run, "imported", "cancelled")
    assert len(runs) == 1
    record = read_run(store, left.run)
    assert (record.cancelled or {})["actor"] == "jane"
    states = {step["state"] for step in record.steps.values()}
    assert states == {"done", "skipped"}


def test_sync_starts_the_next_part_where_nobody_watches(
    launching: Launching, config_path: Path, tmp_path: Path
) -> None:
    interrupted_in(launching, 1)
    left = launching(config_path)
    assert left.outcome == "running"
    runs = launching.cluster.kfp.backend.runs
    for number in (1, 2, 3):
        assert len(runs) == number
        launching.cluster.complete(list(runs)[-1])
        assert [one.state for one in bring(launching, "elsewhere")] == (
            ["still running"] if number < 3 else ["imported"]
        ), "who did not launch it does not go on with it"
        (synced,) = bring(launching)
        assert synced.run == left.run
        assert synced.state == ("gone on with" if number < 3 else "imported")
    assert names(launching) == [f"{left.run} {number}/3" for number in (1, 2, 3)]
    record = read_run(open_store(str(tmp_path / "store")), left.run)
    assert record.outcome == "done"
    assert {step["state"] for step in record.steps.values()} == {"done"}


def test_a_part_that_a_lost_process_had_started_is_not_started_again(
    launching: Launching, config_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(submission, "put_part", killed)  # the run is there, the note of it is not
        with pytest.raises(KeyboardInterrupt):
            launching(config_path)
    (first,) = launching.cluster.kfp.backend.runs
    store = open_store(str(launching.folder / "store"))
    for key in [key for key in store.list("runs/") if key.endswith("/run.json")]:
        stat = store.stat(key)
        assert stat
        store.delete_if_match(key, stat.version)  # a killed process writes no end
    again = launching(config_path)
    assert again.outcome == "done"
    assert len(names(launching)) == 3
    assert next(iter(launching.cluster.kfp.backend.runs)) == first


def test_a_part_that_fails_ends_the_run_and_what_is_done_is_kept(
    launching: Launching, config_path: Path
) -> None:
    cluster = launching.cluster

    def after(operation: str) -> None:
        if operation == "get_run":
            runs = list(cluster.kfp.backend.runs)
            if len(runs) == 2 and cluster.kfp.backend.runs[runs[1]]["state"] == "PENDING":
                step = cluster.steps(runs[1])[-1].name
                cluster.fail(runs[1], step)
            cluster.advance(runs[-1])

    cluster.kfp.after = after
    failed = launching(config_path)
    assert failed.outcome == "failed"
    assert sum(isinstance(one, StepFailed) for one in failed.steps.values()) == 1
    assert set(failed.steps) == set(graph_of(load(config_path)).by_name)
    cluster.kfp.after = launching.after
    again = launching(config_path)
    assert again.outcome == "done"
    assert again.run != failed.run
    done = {name for name, one in failed.steps.items() if isinstance(one, StepDone)}
    assert cached(again) == done
    assert len(done) >= MOST


def test_ctrl_c_ends_the_part_that_runs_and_starts_no_other(
    launching: Launching, config_path: Path
) -> None:
    interrupted_in(launching, 2)
    backend = launching.cluster.kfp.backend
    ended = launching(config_path, cancel_on_interrupt=True)
    assert ended.outcome == "cancelled"
    assert len(backend.runs) == 2
    assert launching(config_path).run != ended.run, (
        "who cancels a run does not want it gone on with"
    )


def test_a_step_that_fits_nowhere_is_refused_with_the_number(
    launching: Launching, config_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(made: Any, *_: Any, **__: Any) -> UserError:
        return UserError(f"too large: {len(made.steps)}", "take fewer")

    monkeypatch.setattr(limits, "fault", fault)
    with pytest.raises(UserError, match="too large: 1"):
        launching(config_path)
    assert not launching.cluster.kfp.backend.runs
