"""`progress.json`: one writer, a beat that tells whether it lives, nothing that breaks a reader."""

import json
import time
from dataclasses import asdict, replace

import pytest

from components.contract.progress import Progress
from pipelines.disk.scratch import scratch_folder
from pipelines.runs.graph import Graph, Step
from pipelines.runs.live.events import (
    StepCached,
    StepDone,
    StepFailed,
    StepProgress,
    StepSkipped,
    StepStarted,
    StepWaiting,
)
from pipelines.runs.live.killed import record_killed
from pipelines.runs.live.logs import follow_log, log_file, read_log
from pipelines.runs.live.progress import ProgressWriter, RunProgress, read_progress
from pipelines.runs.records import RunRecord, put_started, read_run
from pipelines.runs.step_records import read_ingredients
from pipelines.runs.workspace import machine_name, workspace_root
from pipelines.stores.layout import progress_key, step_record_key
from pipelines.stores.opening import open_store

RUN = "tiny-20260102-030405-abcd"
NAMES = ("ingest", "train", "publish")
GRAPH = Graph("tiny", tuple(Step(name, name, {}, {}, 1.0, 1.0) for name in NAMES), {})
DONE = StepDone("ingest", "k", {}, "", cached=False, function_s=1.25, wall_s=1.5)


def record(**changes):
    plain = RunRecord(
        run=RUN, name="tiny", config_digest="c", graph_digest="g", engine="local",
        started="2026-01-02T03:04:05.678+00:00", finished=None, outcome="running", budgets={},
        steps={}, sources={}, wall_s=0.0, critical_path_s=0.0, machine="another", work="/nowhere",
    )  # fmt: skip
    return replace(plain, **changes)


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "store"))


def states(store):
    return {name: step["state"] for name, step in read_run(store, RUN).steps.items()}


def wait_for(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_run_tells_what_its_steps_do(store):
    put_started(store, record())
    assert states(store) == {}
    with ProgressWriter(store, RUN, GRAPH, every_s=0.05) as writer:
        assert states(store) == dict.fromkeys(NAMES, "waiting")
        writer.on_event(StepWaiting("ingest", "the machine", outside=True))
        wait_for(lambda: read_run(store, RUN).steps["ingest"].get("waits_for") == "the machine")
        writer.on_event(StepStarted("ingest", "log", 2))
        writer.on_event(StepProgress("ingest", Progress(2.0, images=10, total=30), 5.0, 4.0))
        wait_for(lambda: states(store)["ingest"] == "running")
        step = read_run(store, RUN).steps["ingest"]
        assert step["attempt"] == 2
        assert step["progress"] == {"seconds": 2.0, "images": 10, "total": 30, "left_s": 4.0}
        writer.on_event(StepCached("train"))
        wait_for(lambda: states(store)["train"] == "cached")
        writer.on_event(DONE)
        writer.on_event(StepFailed("train", "what", "fix", True, ""))
        writer.on_event(StepSkipped("publish", "train failed"))
    assert states(store) == {"ingest": "done", "train": "failed", "publish": "skipped"}
    assert read_progress(store, RUN).ended


def test_the_beat_does_not_stop_while_nothing_happens(store):
    with ProgressWriter(store, RUN, GRAPH, every_s=0.02):
        wait_for(lambda: read_progress(store, RUN).beat > 3)


def test_who_finds_another_writer_writes_no_more(store):
    with ProgressWriter(store, RUN, GRAPH, every_s=0.02):
        while True:
            stat = store.stat(progress_key(RUN))
            if store.replace_if_match(progress_key(RUN), b"{}", stat.version):
                break
        time.sleep(0.2)
    assert store.get(progress_key(RUN)) == b"{}"


@pytest.mark.parametrize("data", [b"", b"{", b"[" * 100_000, b"null", b'{"run": 3}'])
def test_damaged_progress_tells_nothing(store, data):
    put_started(store, record())
    store.put_if_absent(progress_key(RUN), data)
    assert read_run(store, RUN).outcome == "running"
    assert states(store) == {}


@pytest.mark.parametrize("steps", [{"train": {"state": "flown"}}, {"train": {}}])
def test_states_that_nobody_knows_tell_nothing(store, steps):
    put_started(store, record())
    progress = RunProgress(RUN, 1, 1, "2026-01-02T03:04:05.678+00:00", 5.0, False, steps)
    store.put_if_absent(progress_key(RUN), json.dumps(asdict(progress)).encode())
    assert states(store) == {}


def test_a_run_of_another_machine_without_a_beat_was_killed(store):
    put_started(store, record())
    writer = ProgressWriter(store, RUN, GRAPH, every_s=0.02)
    with writer:
        writer.on_event(StepStarted("ingest", "log"))
        wait_for(lambda: states(store)["ingest"] == "running")
        assert read_run(store, RUN).outcome == "running"
    then = replace(read_progress(store, RUN), at="2026-01-02T03:05:05.678+00:00")
    stat = store.stat(progress_key(RUN))
    store.replace_if_match(progress_key(RUN), json.dumps(asdict(then)).encode(), stat.version)
    found = read_run(store, RUN)
    assert found.outcome == "broken"
    assert "was killed, last seen at 2026-01-02T03:05:05.678" in found.fault
    assert states(store) == {"ingest": "killed", "train": "skipped", "publish": "skipped"}


def test_clocks_that_differ_kill_no_run():
    progress = RunProgress(RUN, 1, 1, "2026-01-02T03:04:00.000+00:00", 5.0, False, {})
    silent = {
        moment: progress.silent(f"2026-01-02T{moment}.000+00:00")
        for moment in ("03:00:00", "03:04:59", "03:05:01", "02:00:00")
    }
    assert silent == {"03:00:00": False, "03:04:59": False, "03:05:01": True, "02:00:00": True}


def test_what_a_killed_engine_left_is_recorded_by_the_next(store):
    with scratch_folder(workspace_root(store), RUN) as work:
        put_started(store, record(machine=machine_name(), work=str(work)))
        with ProgressWriter(store, RUN, GRAPH, every_s=0.02) as writer:
            writer.on_event(DONE)
            writer.on_event(StepStarted("train", "log", 2))
            log_file(work, "train", 2).parent.mkdir()
            log_file(work, "train", 1).write_text("the first\n")
            log_file(work, "train", 2).write_text("epoch 1\n")
            wait_for(lambda: states(store).get("train") == "running")
            assert record_killed(store) == []  # it lives
            assert read_log(store, None, "train") == "epoch 1\n"
    # As a kill leaves it: the folder is there, and nobody holds its lock.
    work.mkdir()
    work.with_name(f"{RUN}.lock").touch()
    log_file(work, "train", 2).parent.mkdir()
    log_file(work, "train", 2).write_text("epoch 1\nepo")
    assert read_log(store, None, "train") == "epoch 1\nepo"
    assert "".join(follow_log(store, None, "train")) == "epoch 1\nepo"
    assert record_killed(store) == [RUN]
    assert record_killed(store) == []
    with scratch_folder(workspace_root(store), "next"):
        assert not work.exists()
    found = read_run(store, RUN)
    assert found.outcome == "broken"
    assert found.finished
    assert states(store) == {"ingest": "done", "train": "killed", "publish": "skipped"}
    assert found.steps["train"]["record"] == step_record_key(RUN, "train", 2)
    assert read_ingredients(store, found.steps["publish"]["record"]) is None
    assert read_log(store, None, "train") == "epoch 1\nepo"
