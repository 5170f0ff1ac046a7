"""Cancelling: who asked first is who asked, and whoever looks ends the run once."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from components.contract.errors import UserError
from pipelines.runs.live.cancelling import ask_to_end, ending_when_asked, read_cancellation
from pipelines.runs.live.killed import record_killed
from pipelines.runs.records import RunRecord, put_finished, put_started, read_run
from pipelines.runs.workspace import machine_name, workspace_root
from pipelines.stores.layout import cancel_key, run_key
from pipelines.stores.store import Store


def begun(store: Store, run: str = "digits-20260102-030405-0a0b") -> RunRecord:
    """Put the record of a run whose process is gone: nothing holds its folder."""
    record = RunRecord(
        run=run, name="digits", config_digest="c" * 64, graph_digest="d" * 64, engine="local",
        started="2026-01-02T03:04:05.678+00:00", finished=None, outcome="running", budgets={},
        steps={}, sources={}, wall_s=0.0, critical_path_s=0.0, machine=machine_name(),
        work=str(workspace_root(store) / run),
    )  # fmt: skip
    put_started(store, record)
    return record


def test_who_asked_first_is_who_asked(either_store: Store) -> None:
    assert read_cancellation(either_store, "r") is None
    first = ask_to_end(either_store, "r", "jane", "too late")
    assert ask_to_end(either_store, "r", "joe", "me, too") == first
    assert read_cancellation(either_store, "r") == first
    assert (first.actor, first.reason) == ("jane", "too late")


def test_the_run_is_ended_once_when_somebody_asks(either_store: Store) -> None:
    ended = threading.Event()
    calls: list[int] = []

    def end() -> None:
        calls.append(1)
        ended.set()

    with ending_when_asked(either_store, "r", end, look_s=0.01):
        assert not ended.wait(0.1)
        ask_to_end(either_store, "other", "jane")
        assert not ended.wait(0.1)
        ask_to_end(either_store, "r", "jane")
        assert ended.wait(30)
    assert calls == [1]


def test_what_was_asked_before_it_began_ends_it_at_once(either_store: Store) -> None:
    ended = threading.Event()
    ask_to_end(either_store, "r", "jane")
    with ending_when_asked(either_store, "r", ended.set, look_s=3600):
        assert ended.wait(30)


class Flaky:
    """A store whose first look fails."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.failed = False

    def stat(self, key: str) -> object:
        if not self.failed:
            self.failed = True
            raise UserError("the bucket is not to be reached", "look at the network")
        return self._store.stat(key)


def test_a_store_that_fails_is_asked_again(either_store: Store) -> None:
    ended = threading.Event()
    ask_to_end(either_store, "r", "jane")
    flaky = Flaky(either_store)
    with ending_when_asked(flaky, "r", ended.set, look_s=0.01):  # type: ignore[arg-type]
        assert ended.wait(30)
    assert flaky.failed


def test_the_record_of_a_cancelled_run_says_who_asked(either_store: Store) -> None:
    record = begun(either_store)
    ask_to_end(either_store, record.run, "jane", "too late")
    put_finished(either_store, replace(record, outcome="cancelled"))
    assert (read_run(either_store, record.run).cancelled or {})["actor"] == "jane"


def test_of_a_run_that_was_done_before_it_is_not_said(either_store: Store) -> None:
    record = begun(either_store)
    ask_to_end(either_store, record.run, "jane", "too late")
    put_finished(either_store, replace(record, outcome="done"))
    assert read_run(either_store, record.run).cancelled is None


def test_a_run_that_was_killed_after_somebody_asked_is_cancelled(either_store: Store) -> None:
    record = begun(either_store)
    assert read_run(either_store, record.run).outcome == "broken"
    ask_to_end(either_store, record.run, "jane", "too late")
    read = read_run(either_store, record.run)
    assert read.outcome == "cancelled"
    assert (read.cancelled or {})["reason"] == "too late"
    lock = Path(f"{record.work}.lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()
    assert record_killed(either_store) == [record.run]
    assert either_store.stat(run_key(record.run))
    assert (read_run(either_store, record.run).cancelled or {})["actor"] == "jane"


@pytest.mark.parametrize("data", [b"", b"[]", b"{}"])
def test_what_is_damaged_names_nobody_and_ends_the_run(either_store: Store, data: bytes) -> None:
    record = begun(either_store)
    either_store.put_if_absent(cancel_key(record.run), data)
    assert read_cancellation(either_store, record.run) is None
    put_finished(either_store, replace(record, outcome="cancelled"))
    assert read_run(either_store, record.run).cancelled is None
