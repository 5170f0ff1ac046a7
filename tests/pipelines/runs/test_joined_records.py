"""The records of a run in one object, and the journal that announces the run."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from components.contract.digests import canonical_json
from components.contract.errors import UserError
from pipelines.runs.joined_records import join_records, read_joined
from pipelines.runs.records import put_finished, put_started
from pipelines.runs.releases.registry import register_release, registered
from pipelines.runs.step_records import put_step_record, unexecuted_record
from pipelines.runs.verifying import verify_store
from pipelines.stores.layout import (
    JOURNAL,
    announced_by,
    champion_key,
    records_key,
    release_log_key,
    run_key,
    started_key,
)
from pipelines.stores.store import Store
from tests.pipelines.launch.published import record_of
from tests.pipelines.stores.damage import overwrite, remove

RUN = "digits-20260102-030405-abcd"


def some_records(store: Store) -> dict[str, bytes]:
    """Records of two attempts of one step, and of another."""
    keys = [
        put_step_record(
            store, RUN, step,
            unexecuted_record(
                run=RUN, step=step, component="train", engine="local", result="skipped",
                because=f"number {number}",
            ),
        )
        for number, step in enumerate(("train", "train", "prune"))
    ]  # fmt: skip
    return {key: store.get(key) for key in keys}


def test_every_attempt_of_every_step_is_there_byte_by_byte(either_store: Store) -> None:
    records = some_records(either_store)
    assert read_joined(either_store, RUN) is None
    join_records(either_store, RUN)
    assert read_joined(either_store, RUN) == records
    assert verify_store(either_store)[1] == []
    key = max(records)
    remove(either_store, key)
    assert {one.place: one.state for one in verify_store(either_store)[1]} == {key: "missing"}


@pytest.mark.parametrize(
    "data",
    [
        b"", b"<html>\n", b"[]\n", b'{"key": 5, "value": {}}\n',
        canonical_json({"key": "runs/other/steps/train.json", "value": {}}) + b"\n",
        canonical_json({"key": f"runs/{RUN}/steps/train.json", "value": {}}) + b"\n",
    ],
)  # fmt: skip
def test_what_is_edited_is_named(either_store: Store, data: bytes) -> None:
    some_records(either_store)
    join_records(either_store, RUN)
    overwrite(either_store, records_key(RUN), data)
    found = {one.place: one.state for one in verify_store(either_store)[1]}
    assert found == {records_key(RUN): "damaged"}
    if data and b'"value":{}' not in data:
        with pytest.raises(UserError, match="is damaged"):
            read_joined(either_store, RUN)


def test_a_record_that_is_no_json_hides_none_of_the_others(either_store: Store) -> None:
    records = some_records(either_store)
    key = min(records)
    overwrite(either_store, key, b"<html>")
    join_records(either_store, RUN)
    del records[key]
    assert read_joined(either_store, RUN) == records


def test_a_record_that_is_damaged_later_is_named_alone(either_store: Store) -> None:
    key = min(some_records(either_store))
    join_records(either_store, RUN)
    overwrite(either_store, key, b"<html>")
    assert {one.place: one.state for one in verify_store(either_store)[1]} == {key: "damaged"}


class Killed(BaseException):
    """What ends a process between two writes."""


def test_the_journal_announces_before_anything_is_written(
    either_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is killed right after has announced what is not there; never the other way round."""
    record = record_of(RUN, {})
    entries: list[Any] = []
    put = type(either_store).put_if_absent

    def killed_after_the_journal(self: Store, key: str, data: bytes) -> bool:
        if not key.startswith(JOURNAL):
            raise Killed
        return put(self, key, data)  # pyright: ignore[reportArgumentType]

    for number, (write, key) in enumerate(
        (
            (lambda: put_started(either_store, record), started_key(RUN)),
            (lambda: put_finished(either_store, record), run_key(RUN)),
            (lambda: register_release(either_store, "digits", RUN, "0" * 64), None),
        ),
        1,
    ):
        time.sleep(0.002)  # two of one name within a millisecond announce the same
        with monkeypatch.context() as patch:
            patch.setattr(type(either_store), "put_if_absent", killed_after_the_journal)
            with pytest.raises(Killed):
                write()
        entries = [announced_by(entry) for entry in either_store.list(JOURNAL)]
        assert len(entries) == number
        assert all(entry and entry[2] == RUN for entry in entries)
        assert key is None or either_store.stat(key) is None
    kinds = {entry[1] for entry in entries if entry}
    assert kinds == {"run", "note"}
    days = {entry[0].date() for entry in entries if entry}
    assert days == {datetime.now(UTC).date()}
    assert verify_store(either_store)[1] == []


def test_an_entry_of_the_journal_is_empty(either_store: Store) -> None:
    for key in ("journal/2026-01-02/030405.678-run-r", "journal/2026-99-02/030405.678-run-r"):
        either_store.put_if_absent(key, b"x" if "-01-" in key else b"")
    assert {one.state for one in verify_store(either_store)[1]} == {"damaged"}


def test_notes_on_releases_are_told_from_the_log_and_the_champion(either_store: Store) -> None:
    register_release(either_store, "digits", RUN, "0" * 64)
    note = canonical_json({"run": "x", "release": "1" * 64})
    either_store.put_if_absent(champion_key("digits"), note)
    either_store.put_if_absent(release_log_key("digits", 1), note)
    assert list(registered(either_store, "digits")) == [(RUN, "0" * 64)]
