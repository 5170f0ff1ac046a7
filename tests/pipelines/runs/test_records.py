"""Records of runs: what they say of a run that did not come to its end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from components.contract.errors import UserError
from pipelines.disk.scratch import scratch_folder
from pipelines.runs.live.logs import read_log
from pipelines.runs.records import (
    Problem,
    RunRecord,
    list_runs,
    new_run_id,
    now,
    put_finished,
    put_started,
    read_run,
)
from pipelines.runs.step_records import read_ingredients
from pipelines.runs.workspace import machine_name
from pipelines.stores.directory import DirectoryStore

TINY = Path(__file__).parents[2] / "data" / "tiny.yaml"


@pytest.fixture
def record(tmp_path: Path) -> RunRecord:
    """The record of a run that has begun on this machine."""
    run = new_run_id("tiny")
    return RunRecord(
        run=run,
        name="tiny",
        config_digest="c",
        graph_digest="g",
        engine="local",
        started=now(),
        finished=None,
        outcome="running",
        budgets={},
        steps={},
        sources={},
        wall_s=0.0,
        critical_path_s=0.0,
        machine=machine_name(),
        work=str(tmp_path / "work" / run),
    )


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "store")


def outcomes(store: DirectoryStore) -> list[str]:
    (listed,) = list_runs(store)
    assert read_run(store, None) == read_run(store, listed.run) == listed
    return [listed.outcome]


def test_a_run_runs_while_its_process_lives(
    record: RunRecord, store: DirectoryStore, tmp_path: Path
) -> None:
    with scratch_folder(tmp_path / "work", record.run):
        put_started(store, record)
        assert outcomes(store) == ["running"]
    assert outcomes(store) == ["broken"]
    assert "was killed" in (read_run(store, record.run).fault or "")
    put_finished(store, replace(record, outcome="done", finished=now()))
    assert outcomes(store) == ["done"]


def test_a_killed_process_leaves_a_broken_run(
    record: RunRecord, store: DirectoryStore, tmp_path: Path
) -> None:
    code = (
        "import sys, time, pathlib; from pipelines.disk.scratch import scratch_folder\n"
        "with scratch_folder(pathlib.Path(sys.argv[1]), sys.argv[2]):\n"
        "    print('there', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "work"), record.run]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "there\n"
        put_started(store, record)
        assert outcomes(store) == ["running"]
        process.kill()
    assert outcomes(store) == ["broken"]


@pytest.mark.parametrize("change", [{"machine": "another"}, {"machine": "", "work": ""}])
def test_of_another_machine_nothing_is_known(
    record: RunRecord, store: DirectoryStore, change: dict[str, str]
) -> None:
    put_started(store, replace(record, **change))
    assert outcomes(store) == ["running"]


NO_NAMES = ("../x", "..", "a b", "", "ü", "a" * 600, "a\nb", "\udcff", "/", "[x]")


@pytest.mark.parametrize("name", NO_NAMES)
def test_names_that_can_be_of_no_run_and_no_step(
    record: RunRecord, store: DirectoryStore, name: str
) -> None:
    put_started(store, record)
    with pytest.raises(UserError, match="holds no run") as caught:
        read_run(store, name)
    assert record.run in caught.value.fix
    with pytest.raises(UserError, match="has no log of a step"):
        read_log(store, record.run, name)


DAMAGE: Mapping[str, bytes] = {
    "cut short": b'{"run": "tiny-2026',
    "empty": b"",
    "a list": b"[]",
    "null": b"null",
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "a long number": b'{"run": ' + b"9" * 5000 + b"}",
    "no text": b"\xff\xfe\x00",
    "without keys": b"{}",
}


@pytest.mark.parametrize("name", ["run.json", "started.json"])
@pytest.mark.parametrize("data", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_record_is_said_to_be_damaged(
    record: RunRecord, store: DirectoryStore, name: str, data: bytes
) -> None:
    key = f"runs/{record.run}/{name}"
    store.put_if_absent(key, data)
    for run in (record.run, None):
        with pytest.raises(UserError, match=f"{key} in the store .* is damaged"):
            read_run(store, run)
    whole = replace(record, run="whole-20260102-030405-abcd", outcome="done", finished=now())
    put_finished(store, whole)
    for read in (lambda store, problems: list_runs(store, problems)[-1],
                 lambda store, problems: read_run(store, None, problems)):  # fmt: skip
        problems: list[Problem] = []
        assert read(store, problems) == whole
        assert [problem.key for problem in problems] == [key]


DONE = {
    "state": "done",
    "key": "0" * 64,
    "outputs": {"model": "0" * 64},
    "record": "runs/r/steps/train.json",
    "cached": False,
    "function_s": 1.0,
    "wall_s": 1.0,
}


@pytest.mark.parametrize(
    "change",
    [
        {"wall_s": "long"},
        {"wall_s": 10**400},
        {"wall_s": None},
        {"started": 5},
        {"steps": []},
        {"steps": {"train": 3}},
        {"steps": {"train": {}}},
        {"steps": {"train": {"state": "flown"}}},
        {"steps": {"train": {"state": "failed"}}},
        {"steps": {"train": {**DONE, "outputs": {"model": "../../etc/passwd"}}}},
        {"steps": {"train": {**DONE, "outputs": ["model"]}}},
        {"steps": {"train": {**DONE, "record": "x"}}},
    ],
)
def test_a_record_of_wrong_types_is_damaged(
    record: RunRecord, store: DirectoryStore, change: dict[str, object]
) -> None:
    plain = {**asdict(record), "outcome": "done", "steps": {"train": DONE}}
    store.put_if_absent("runs/whole/run.json", json.dumps(plain).encode())
    assert read_run(store, "whole").steps == {"train": DONE}
    store.put_if_absent(f"runs/{record.run}/run.json", json.dumps({**plain, **change}).encode())
    with pytest.raises(UserError, match="is damaged"):
        read_run(store, record.run)


def test_a_record_of_an_earlier_or_a_later_version_is_read(
    record: RunRecord, store: DirectoryStore
) -> None:
    now_written = {**asdict(record), "outcome": "done", "steps": {"train": DONE}}
    earlier = {key: now_written[key] for key in now_written if key not in ("actor", "places")}
    later = {**now_written, "places": {"data": "/data", "modules": ["/a.py"]}, "new": {"a": 1}}
    for name, content in (("earlier", {**earlier, "run": "earlier"}), ("later", later)):
        store.put_if_absent(f"runs/{name}/run.json", json.dumps(content).encode())
    assert (read_run(store, "earlier").actor, read_run(store, "earlier").places) == ("", {})
    assert read_run(store, "later").places == {"data": "/data", "modules": ("/a.py",)}


def test_a_record_that_is_no_file(record: RunRecord, store: DirectoryStore) -> None:
    put_started(store, record)
    for number, make in enumerate((os.mkfifo, os.mkdir, lambda path: path.symlink_to("x"))):
        path = store.path(f"runs/{number}/run.json")
        path.parent.mkdir()
        make(path)
    assert [found.run for found in list_runs(store)] == [record.run]
    with pytest.raises(UserError, match="holds no run '0'"):
        read_run(store, "0")


@pytest.mark.parametrize("data", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_record_of_a_step(store: DirectoryStore, data: bytes) -> None:
    store.put_if_absent("runs/r/steps/train.json", data)
    with pytest.raises(UserError, match=r"runs/r/steps/train.json in the store .* is damaged"):
        read_ingredients(store, "runs/r/steps/train.json")
    assert read_ingredients(store, "runs/r/steps/../../x") is None
