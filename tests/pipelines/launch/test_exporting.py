"""Exporting: a release is whole, is what was measured, and never costs a person a file."""

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from components.contract.errors import UserError
from pipelines.disk import exchange as exchanging
from pipelines.launch.exporting import NotMeasuredError, PublishedRun, check_output, export
from pipelines.launch.release_folder import LATEST_PAGE, LIST, PAGE, examine, read_list
from pipelines.runs.cache import Cache, CorruptionError
from pipelines.runs.releases.registry import register_release
from pipelines.stores.layout import blob_key
from pipelines.stores.opening import open_store
from tests.pipelines.launch.published import publish_run

FILES = ["card.html", "card.md", "files.json", "manifest.json", "model.tflite", "report.html"]


@pytest.fixture
def cache(tmp_path):
    return Cache(open_store(str(tmp_path / "store")), tmp_path / "scratch")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_release_is_written_with_the_list_of_its_files(cache, tmp_path):
    published = publish_run(cache, "r-1")
    folder = export(cache, published, tmp_path / "deep" / "out")
    assert names(folder) == FILES
    listed = read_list(folder)
    assert listed
    assert (listed.run, listed.release, listed.latest_run) == ("r-1", published.release, None)
    assert sorted([*listed.files, LIST]) == FILES
    assert examine(folder, None) == (listed, [])
    assert names(folder.parent) == ["out"], "nothing unfinished is left"


@pytest.mark.parametrize("able", [True, False], ids=["exchange", "two renames"])
def test_the_next_release_takes_its_place(cache, tmp_path, monkeypatch, able):
    if not able:
        monkeypatch.setattr(exchanging, "_renameat2", lambda: None)
    first = export(cache, publish_run(cache, "r-1", model=b"one"), tmp_path / "out")
    second = export(cache, publish_run(cache, "r-2", model=b"two"), tmp_path / "out")
    assert first == second
    assert (second / "model.tflite").read_bytes() == b"two"
    assert names(second) == FILES
    assert names(tmp_path) == ["out", "store"]


@pytest.mark.parametrize("qualified", [None, False], ids=["no winner", "not qualified"])
def test_a_qualified_release_stays_after_a_run_without_one(cache, tmp_path, qualified):
    folder = export(cache, publish_run(cache, "r-1"), tmp_path / "out")
    before = contents(folder)
    later = publish_run(cache, "r-2", model=b"worse", qualified=qualified)
    for _ in range(2):
        export(cache, later, folder)
        after = contents(folder)
        assert after.pop(LATEST_PAGE) == b"<p>r-2"
        assert {**after, LIST: b""} == {**before, LIST: b""}
        listed = read_list(folder)
        assert listed
        assert (listed.run, listed.latest_run) == ("r-1", "r-2")
        assert examine(folder, None) == (listed, [])
    export(cache, publish_run(cache, "r-3", model=b"new"), folder)
    assert names(folder) == FILES
    assert (folder / "model.tflite").read_bytes() == b"new"


def test_what_a_person_asks_for_is_written_though_it_does_not_qualify(cache, tmp_path):
    folder = export(cache, publish_run(cache, "r-1"), tmp_path / "out")
    export(cache, publish_run(cache, "r-2", model=b"old", qualified=False), folder, anyway=True)
    assert (folder / "model.tflite").read_bytes() == b"old"
    export(cache, publish_run(cache, "r-3", qualified=None), folder, anyway=True)
    assert (folder / "model.tflite").read_bytes() == b"old", "an unqualified release stays, too"


def test_an_empty_release_gives_way(cache, tmp_path):
    folder = export(cache, publish_run(cache, "r-1", qualified=None), tmp_path / "out")
    assert names(folder) == ["files.json", "none.json", "report.html"]
    export(cache, publish_run(cache, "r-2", qualified=None), folder)
    assert (folder / PAGE).read_bytes() == b"<p>r-2"
    export(cache, publish_run(cache, "r-3", qualified=False), folder)
    assert names(folder) == FILES


def special(path, kind):
    if kind == "link":
        path.symlink_to("/etc/hostname")
    elif kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        os.chdir(path.parent)  # a socket's path must be short
        socket.socket(socket.AF_UNIX).bind(path.name)
    else:
        path.write_text("mine")


@pytest.mark.parametrize("kind", ["file", "link", "folder", "fifo", "socket"])
@pytest.mark.parametrize("name", ["thesis.txt", "model.tflite", "report.html"])
def test_what_slimline_did_not_write_is_refused_and_left_alone(
    cache, tmp_path, monkeypatch, name, kind
):
    monkeypatch.chdir(tmp_path)
    folder = export(cache, publish_run(cache, "r-1"), tmp_path / "out")
    path = folder / name
    path.unlink(missing_ok=True)
    special(path, kind)
    before = names(folder)
    later = publish_run(cache, "r-2")
    for attempt in (
        lambda: check_output(folder, cache, "digits"),
        lambda: export(cache, later, folder),
    ):
        with pytest.raises(UserError, match=f"holds other files: {name} is ") as caught:
            attempt()
        assert names(folder) == before
    assert "move them out" in caught.value.fix
    path.rename(tmp_path / "kept")
    export(cache, publish_run(cache, "r-2"), folder)
    assert names(folder) == FILES


def test_a_folder_of_a_persons_own_is_refused(cache, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "report.html").write_text("my own report")
    with pytest.raises(UserError, match="is in a folder without"):
        check_output(folder, cache, "digits")
    assert (folder / "report.html").read_text() == "my own report"
    (folder / "report.html").rename(tmp_path / "report.html")
    export(cache, publish_run(cache, "r-1"), folder)
    (folder / LIST).write_text('{"files": {}}')
    with pytest.raises(UserError, match="is not a list of files"):
        check_output(folder, cache, "digits")


def earlier_folder(cache, folder, published):
    """What earlier versions wrote: the same files without the list."""
    export(cache, published, folder)
    (folder / LIST).unlink()
    register_release(cache.store, published.name, published.run, published.release)
    return folder


@pytest.mark.parametrize("qualified", [True, None])
def test_a_folder_of_an_earlier_version_is_known_by_its_run(cache, tmp_path, qualified):
    first = publish_run(cache, "r-1", qualified=qualified)
    folder = earlier_folder(cache, tmp_path / "out", first)
    check_output(folder, cache, "digits")
    other = Cache(type(cache.store)(tmp_path / "other"), tmp_path / "scratch")
    with pytest.raises(UserError, match="is of no run that the store"):
        check_output(folder, other, "digits")
    page = (folder / PAGE).read_bytes()
    (folder / PAGE).write_text("edited")
    with pytest.raises(UserError, match="is not as slimline wrote it"):
        check_output(folder, cache, "digits")
    (folder / PAGE).write_bytes(page)
    export(cache, publish_run(cache, "r-2", qualified=None), folder)
    listed = read_list(folder)
    assert listed
    assert listed.run == ("r-1" if qualified else "r-2")
    assert examine(folder, None) == (listed, [])


def test_a_link_to_a_folder_is_followed(cache, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to("disk")
    export(cache, publish_run(cache, "r-1"), tmp_path / "out")
    assert (tmp_path / "out").is_symlink()
    assert names(tmp_path / "disk") == FILES
    (tmp_path / "loose").symlink_to("nowhere")
    with pytest.raises(UserError, match="is no folder that a release can replace"):
        check_output(tmp_path / "loose", cache, "digits")


def test_a_file_that_arrives_at_the_last_moment_is_kept(cache, tmp_path, monkeypatch):
    folder = export(cache, publish_run(cache, "r-1"), tmp_path / "out")
    before = contents(folder)

    def late(one, other):
        (folder / "thesis.txt").write_text("mine")
        monkeypatch.undo()
        return exchanging._exchange_names(one, other)

    monkeypatch.setattr(exchanging, "_exchange_names", late)
    with pytest.raises(UserError, match="is nothing that slimline wrote"):
        export(cache, publish_run(cache, "r-2"), folder)
    assert contents(folder) == {**before, "thesis.txt": b"mine"}


def test_what_is_exported_is_what_was_measured(cache, tmp_path):
    folder = export(cache, publish_run(cache, "r-1"), tmp_path / "out")
    before = contents(folder)
    other = publish_run(cache, "r-2", model=b"another")
    swapped = replace(publish_run(cache, "r-3"), release=other.release)
    with pytest.raises(NotMeasuredError, match="is not the file that was measured"):
        export(cache, swapped, folder)
    lying = publish_run(cache, "r-4", model=b"another", manifest_sha256="0" * 64)
    with pytest.raises(NotMeasuredError):
        export(cache, lying, folder)
    (entry,) = (e for e in cache.tree(other.release).entries if e.path == "model.tflite")
    blob = Path(cache.store.uri, blob_key(entry.sha256))
    blob.chmod(0o644)
    blob.write_bytes(b"flipped")
    with pytest.raises(CorruptionError):
        export(cache, other, folder)
    assert contents(folder) == before
    assert names(tmp_path) == ["out", "store"]


LOOP = """
import sys
from pathlib import Path
from pipelines.launch.exporting import PublishedRun, export
from pipelines.runs.cache import Cache
from pipelines.stores.opening import open_store
from pipelines.disk import exchange
store, out, able, *published = sys.argv[1:]
if able == "no":
    exchange._renameat2 = lambda: None
cache = Cache(open_store(store), Path(store, "tmp", "work"))
two = [PublishedRun(*one[:4], (one[4],)) for one in (published[:5], published[5:])]
while True:
    for one in two:
        export(cache, one, Path(out))
        print("again", flush=True)
"""


@pytest.mark.parametrize("able", ["yes", "no"])
def test_a_kill_at_any_moment_leaves_a_whole_release(cache, tmp_path, able):
    two = [publish_run(cache, f"r-{index}", model=b"m" * (index << 20)) for index in (1, 2)]
    words = [
        word for one in two for word in (one.name, one.run, one.release, one.page, *one.decisions)
    ]
    folder = tmp_path / "place" / "out"
    export(cache, two[0], folder)
    (folder.parent / "thesis.txt").write_text("mine")
    for number in range(8):
        process = subprocess.Popen(
            [sys.executable, "-c", LOOP, cache.store.uri, str(folder), able, *words],
            stdout=subprocess.PIPE, cwd=Path(__file__).parents[3],
        )  # fmt: skip
        assert process.stdout
        assert process.stdout.readline() == b"again\n"
        time.sleep(0.0017 * number)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        if able == "yes":
            listed = read_list(folder)
            assert listed
            assert examine(folder, None) == (listed, [])
    export(cache, two[0], folder)
    assert names(folder) == FILES
    assert names(folder.parent) == ["out", "thesis.txt"], "leftovers are swept"


@pytest.mark.parametrize("taken", [True, False])
def test_an_old_folder_that_stepped_aside_comes_back(cache, tmp_path, monkeypatch, taken):
    monkeypatch.setattr(exchanging, "_renameat2", lambda: None)
    folder = export(cache, publish_run(cache, "r-1"), tmp_path / "place" / "out")
    before = contents(folder)
    real = Path.rename

    def killed(self, target):
        if target == folder and self.name == "new":
            os._exit(9)
        return real(self, target)

    child = os.fork()
    if not child:
        Path.rename = killed
        export(cache, publish_run(cache, "r-2"), folder)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    (left,) = folder.parent.iterdir()
    if taken:
        folder.mkdir()
    export(cache, publish_run(cache, "r-3", qualified=None), folder)
    if taken:
        assert contents(left / "old") == before, "a person decides"
    else:
        assert names(folder.parent) == ["out"]
        assert (folder / "model.tflite").read_bytes() == before["model.tflite"]


def test_a_full_disk_leaves_the_old_release(cache, tmp_path, monkeypatch):
    folder = export(cache, publish_run(cache, "r-1"), tmp_path / "place" / "out")
    before = contents(folder)
    later = publish_run(cache, "r-2", model=b"two")

    def full(_handle):
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(UserError, match="No space left on device") as caught:
            export(cache, later, folder)
    assert "slimline export r-2 --output DIR" in caught.value.fix
    assert contents(folder) == before
    assert names(folder.parent) == ["out"]
    export(cache, later, tmp_path / "elsewhere")


def test_the_report_is_that_of_publish_and_of_earlier_runs_that_of_select():
    outputs = {
        "select": {"page": "a" * 64, "decision": "b" * 64},
        "publish": {"release": "c" * 64, "report": "d" * 64},
    }
    assert PublishedRun.of("digits", "digits-1", outputs).page == "d" * 64
    del outputs["publish"]["report"]
    assert PublishedRun.of("digits", "digits-1", outputs).page == "a" * 64
    del outputs["publish"]
    with pytest.raises(KeyError):
        PublishedRun.of("digits", "digits-1", outputs)
