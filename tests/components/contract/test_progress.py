"""Progress: written by a component, read by an engine that nothing in the file can break."""

import json
import os
import time

import pytest

from components.contract import progress
from components.contract.progress import LINE_BYTES_MAX, ProgressReader, parsed, tell, telling


def line(**values):
    return json.dumps({"seconds": 1.0, **values}).encode() + b"\n"


def test_what_is_told_is_read(tmp_path):
    reader = ProgressReader(tmp_path / "progress")
    assert not reader.look()
    with telling(tmp_path / "progress"):
        tell(epoch=2, total=2, loss=0.5, metric="auc", value=0.98)
    tell(epoch=1)  # nobody asks any more
    assert reader.look()
    assert reader.latest.loss == 0.5
    assert (reader.latest.metric, reader.latest.value) == ("auc", 0.98)
    assert not reader.look()


def test_nothing_is_written_where_no_file_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with telling(None):
        tell(images=3)
    assert not list(tmp_path.iterdir())


def test_lines_are_not_written_too_often(tmp_path):
    with telling(tmp_path / "progress"):
        for images in range(20_000):
            tell(images=images, total=20_001)
        tell(phase="writing")
        tell(images=20_001, total=20_001)
    lines = (tmp_path / "progress").read_bytes().splitlines()
    assert len(lines) < 50
    assert json.loads(lines[-1])["images"] == 20_001


def test_a_full_disk_ends_progress_and_not_the_step(tmp_path, caplog):
    with telling(tmp_path / "missing" / "progress"):
        tell(epoch=1)
        tell(epoch=2, phase="on")
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "progress is not told any more"
    ]


def test_time_left_leaves_out_what_the_start_took(tmp_path):
    path = tmp_path / "progress"
    reader = ProgressReader(path)
    path.write_bytes(line(epoch=0, total=10) + line(seconds=31, epoch=1, total=10))
    reader.look()
    assert 9 * 30 - 1 < reader.left_s <= 9 * 30
    with path.open("ab") as file:
        file.write(line(seconds=37, epoch=4, total=10))
    reader.look()
    assert reader.per_second == pytest.approx(0.5)
    assert 11 < reader.left_s <= 12
    time.sleep(0.05)
    assert reader.left_s < 11.96
    with path.open("ab") as file:
        file.write(line(seconds=40, phase="other", part=0, total=3))
    reader.look()
    assert reader.left_s is None


HOSTILE = (
    b"", b"[]", b"null", b"3", b"{", b"\xff\xfe", b"[" * 100_000, b'{"seconds": ' + b"9" * 9000 + b"}",
    b'{"seconds": NaN, "epoch": 3}', b'{"seconds": 1e999}', b'{"seconds": -1}', b'{"epoch": 3}',
    b'{"seconds": 1, "epoch": 5, "total": 4}', b"{" + b" " * LINE_BYTES_MAX + b'"seconds": 1}',
)  # fmt: skip


@pytest.mark.parametrize("garbage", HOSTILE, ids=lambda item: repr(item[:20]))
def test_garbage_is_skipped(tmp_path, garbage):
    path = tmp_path / "progress"
    path.write_bytes(garbage + b"\n" + line(epoch=7))
    reader = ProgressReader(path)
    assert reader.look()
    assert reader.latest.epoch == 7


def test_parts_of_a_line_that_cannot_be_used_are_left_out():
    found = parsed(
        line(epoch=True, images=-1, total=10**40, loss="low", metric="a\x1b[2J", phase="x" * 99,
             value=float("inf"), more={"of": "another version"})
    )  # fmt: skip
    assert found == progress.Progress(1.0)


def test_a_line_counts_when_it_is_whole(tmp_path):
    path = tmp_path / "progress"
    path.write_bytes(line(epoch=1)[:9])
    reader = ProgressReader(path)
    assert not reader.look()
    with path.open("ab") as file:
        file.write(line(epoch=1)[9:])
    assert reader.look()


def test_a_flood_is_read_at_its_end_and_takes_no_memory(tmp_path):
    path = tmp_path / "progress"
    path.write_bytes(line(epoch=1) * 100_000 + b"x" * 5_000_000 + b"\n" + line(epoch=9))
    reader = ProgressReader(path)
    assert reader.look()
    assert reader.latest.epoch == 9
    path.write_bytes(b"x" * 50_000)
    for _ in range(5):
        reader.look()
        with path.open("ab") as file:
            file.write(b"x" * 50_000)
    assert len(reader._rest) <= LINE_BYTES_MAX + 1
    path.write_bytes(b"\n" + line(epoch=3))  # written anew, and shorter
    assert reader.look()
    assert reader.latest.epoch == 3


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/etc/passwd")])
def test_what_is_no_file_tells_nothing(tmp_path, make):
    make(tmp_path / "progress")
    assert not ProgressReader(tmp_path / "progress").look()
