"""Detached runs: they go on whatever becomes of their starter, and say why where they do not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.contract.errors import UserError
from pipelines.launch import detached
from pipelines.launch.cancelling import cancel_run
from pipelines.launch.detached import Order
from pipelines.runs.live.cancelling import ask_to_end
from pipelines.runs.records import read_run
from pipelines.stores.opening import open_store
from pipelines.stores.store import Store
from tests.pipelines.waiting import finished_within

ROOT = Path(__file__).parents[3]
TINY = ROOT / "tests" / "data" / "tiny.yaml"
STARTER = """
import os, sys, time
from pathlib import Path
from pipelines.launch.detached import Order, start
print(start(Order(Path(sys.argv[1]), sys.argv[2], "jane", output=Path(sys.argv[3]))), flush=True)
time.sleep(600)
"""


@pytest.fixture(autouse=True)
def _own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(str(tmp_path / "store"))
    yield store
    for log in (tmp_path / "cache" / "slimline" / "started").glob("*.log"):
        ask_to_end(store, log.stem, "tests")  # what a test that failed has started trains for long


def is_over(store: Store, run: str) -> bool:
    found = detached.state(store, run)
    return found is not None and found.what != "not yet"


def long(tmp_path: Path) -> Path:
    config = tmp_path / "long.yaml"
    config.write_text(TINY.read_text().replace("epochs: 1}", "epochs: 10000}", 1))
    return config


def test_its_starter_is_killed_and_it_lives_on_until_somebody_cancels_it(
    store: Store, tmp_path: Path
) -> None:
    words = [sys.executable, "-c", STARTER, str(long(tmp_path)), store.uri, str(tmp_path / "out")]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as starter:
        assert starter.stdout
        run = starter.stdout.readline().strip()
        os.killpg(starter.pid, signal.SIGKILL)
    finished_within(120, lambda: is_over(store, run))
    found = detached.state(store, run)
    assert found
    assert found.what == "started"
    assert found.log.stat().st_mode & 0o777 == 0o600
    record = read_run(store, run)
    assert (record.outcome, record.actor) == ("running", "jane")
    cancelled = cancel_run(store, run, actor="joe", reason="too long")
    assert not cancelled.cluster
    finished_within(120, lambda: read_run(store, run).outcome != "running")
    record = read_run(store, run)
    assert record.outcome == "cancelled"
    asked = record.cancelled or {}
    assert (asked["actor"], asked["reason"]) == ("joe", "too long")
    finished_within(120, lambda: "cancelled, as joe asked: too long" in found.log.read_text())
    detached.refuse_dead(store, run)


def test_cancelled_before_it_begins_it_executes_nothing(store: Store, tmp_path: Path) -> None:
    run = detached.start(Order(long(tmp_path), store.uri, "jane", output=tmp_path / "out"))
    found = detached.state(store, run)
    assert found
    assert found.what == "not yet"
    cancel_run(store, run, actor="jane", reason="a mistake")
    finished_within(120, lambda: is_over(store, run) and read_run(store, run).outcome != "running")
    record = read_run(store, run)
    assert record.outcome == "cancelled"
    assert not list(store.list("ac/"))


def test_what_ends_before_it_begins_says_why(store: Store, tmp_path: Path) -> None:
    config = tmp_path / "nowhere.yaml"
    config.write_text(_elsewhere(TINY.read_text(), tmp_path / "no-such-folder"))
    run = detached.start(Order(config, store.uri, "jane", output=tmp_path / "out"))
    finished_within(120, lambda: is_over(store, run))
    found = detached.state(store, run)
    assert found
    assert found.what == "died"
    assert "no-such-folder" in found.lines
    assert "fix: " in found.lines
    with pytest.raises(UserError, match="no-such-folder") as refused:
        detached.refuse_dead(store, run)
    assert str(found.log) in refused.value.fix
    with pytest.raises(UserError, match="holds no run"):
        cancel_run(store, run, actor="jane")


def test_what_is_not_valid_is_refused_before_a_process_is_started(
    store: Store, tmp_path: Path
) -> None:
    config = tmp_path / "bad.yaml"
    config.write_text("name: x\nnothing: 1\n")
    with pytest.raises(UserError):
        detached.start(Order(config, store.uri, "jane"))
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    "run", ["", "x", "../../x-20260102-030405-0a0b", "tiny-20260102-030405-0a0b"]
)
def test_of_what_this_machine_did_not_start_it_knows_nothing(store: Store, run: str) -> None:
    assert detached.state(store, run) is None
    detached.refuse_dead(store, run)


def test_what_runs_printed_long_ago_is_removed(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "cache" / "slimline" / "started"
    folder.mkdir(parents=True)
    old, young = folder / "a.log", folder / "b.log"
    old.write_text("old"), young.write_text("young")
    os.utime(old, (time.time() - 40 * 86400,) * 2)
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(UserError, match="no process can be started"):
        detached.start(Order(long(tmp_path), store.uri, "jane"))
    assert [path.name for path in folder.iterdir()] == ["b.log"]


def test_a_cancel_of_what_has_ended_or_never_was_is_refused(store: Store) -> None:
    with pytest.raises(UserError, match="holds no run"):
        cancel_run(store, "tiny-20260102-030405-0a0b", actor="jane")
    assert ask_to_end(store, "tiny-20260102-030405-0a0b", "jane")
    with pytest.raises(UserError, match="holds no run"):
        cancel_run(store, "tiny-20260102-030405-0a0b", actor="jane")


def _elsewhere(config: str, data: Path) -> str:
    return "".join(
        f"data: {data}\n" if line.startswith("data:") else line
        for line in config.splitlines(keepends=True)
    )
