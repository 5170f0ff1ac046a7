"""Logs by byte offsets: of runs that go on and of those that have ended, in parts."""

from dataclasses import replace

import pytest

from pipelines.runs.live.log_ranges import PART_BYTES, open_logs, search
from pipelines.runs.live.logs import log_file
from pipelines.runs.records import RunRecord
from pipelines.runs.workspace import machine_name
from pipelines.stores.layout import log_key, step_record_key

RUN = "digits-20260102-030405-abcd"
RECORD = RunRecord(
    run=RUN, name="digits", config_digest="c" * 64, graph_digest="d" * 64, engine="local",
    started="2026-01-02T03:04:05.678+00:00", finished=None, outcome="done", budgets={},
    steps={"train": {"state": "done", "record": step_record_key(RUN, "train", 2)}}, sources={},
    wall_s=1.0, critical_path_s=1.0,
)  # fmt: skip


@pytest.fixture
def kept(either_store):
    either_store.put_if_absent(log_key(RUN, "train"), b"the first\nfailed\n")
    either_store.put_if_absent(log_key(RUN, "train", 2), "größer\nEpoch 1\nepoch 2\n".encode())
    return either_store


def test_each_attempt_has_a_log_of_which_parts_are_read(kept):
    first, second = open_logs(kept, RECORD, "train")
    assert (first.attempt, first.size, first.grows) == (1, 17, False)
    assert (first.read(4, 9), first.read(10, 500), first.read(17, 17)) == (
        b"first", b"failed\n", b"",
    )  # fmt: skip
    assert b"".join(second.parts()) == "größer\nEpoch 1\nepoch 2\n".encode()


def test_lines_are_found_with_their_offset(kept):
    log = open_logs(kept, RECORD, "train")[1]
    hits, more = search(log, "epoch")
    assert [(hit.offset, hit.line) for hit in hits] == [(9, "Epoch 1"), (17, "epoch 2")]
    assert more is None
    (first,), more = search(log, "epoch", most=1)
    assert (first.line, more) == ("Epoch 1", 17)
    assert [hit.line for hit in search(log, "epoch", start=more)[0]] == ["epoch 2"]
    assert search(log, "e.och")[0] == []


def test_a_large_log_is_read_in_parts_and_long_lines_in_pieces(either_store):
    text = b"x" * (PART_BYTES + 9000) + b"needle\n" + b"short needle\n"
    either_store.put_if_absent(log_key(RUN, "train", 2), text)
    (log,) = open_logs(either_store, RECORD, "train")
    assert max(map(len, log.parts())) == PART_BYTES
    hits, _ = search(log, "needle")
    assert hits[-1].line == "short needle"
    assert all(text[hit.offset :].startswith(hit.line.encode()) for hit in hits)
    assert max(len(hit.line) for hit in hits) <= 4096
    assert search(log, "needle", most_bytes=1000) == ([], 4096)


def test_a_cached_step_has_the_log_of_the_execution_that_it_took(kept):
    steps = {"train": {"state": "cached", "record": step_record_key(RUN, "train", 2)}}
    later = replace(RECORD, run="digits-20260103-030405-abcd", steps=steps)
    (log,) = open_logs(kept, later, "train")
    assert (log.run, log.attempt, log.size) == (RUN, 2, 25)


def test_a_log_grows_while_its_run_is_running(either_store, tmp_path):
    work = tmp_path / RUN
    steps = {"train": {"state": "running", "attempt": 1}}
    going = replace(RECORD, outcome="running", machine=machine_name(), work=str(work), steps=steps)
    assert open_logs(either_store, going, "train") == []
    path = log_file(work, "train", 1)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"one\n")
    (log,) = open_logs(either_store, going, "train")
    path.write_bytes(b"one\ntwo\n")
    assert (log.size, log.grows, log.read(4, 100)) == (4, True, b"two\n")
    path.unlink()
    assert log.read(0, 100) == b""
    path.symlink_to(tmp_path / "secret")
    (tmp_path / "secret").write_text("secret")
    assert open_logs(either_store, going, "train") == []
    assert log.read(0, 100) == b""
