"""Fixes of errors of stores and runs, applied: what a command advises is done, and it answers.

Places, names and commands are taken from the text of the fix.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from components.contract.errors import UserError
from pipelines.cli.main import main
from pipelines.runs.records import put_finished
from pipelines.stores.opening import open_store
from tests.pipelines.runs.kept_run import DECISION, Kept
from tests.servers.gcs.server import GcsServer

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path, DECISION)


def fix_of(capsys: Captured, *arguments: str, what: str) -> str:
    """Call a command that must be refused, and return its advice."""
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert what in said
    assert said.count(what) == 1
    return said.partition("fix: ")[2].strip()


def answers(capsys: Captured, *arguments: str) -> None:
    assert main(arguments) == 0
    assert capsys.readouterr().err == ""


# runs and steps ---------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["show", "data", "logs"])
def test_the_run_that_was_meant_is_named(command: str, kept: Kept, capsys: Captured) -> None:
    run, store, step = kept.record().run, kept.store.uri, ("ingest",) if command == "logs" else ()
    what = f"holds no run '{run[:-1]}'"
    fix = fix_of(capsys, command, run[:-1], *step, "--store", store, what=what)
    meant = re.search(r"did you mean '(.+?)'\?", fix)
    assert meant
    main([command, meant[1], *step, "--store", store])
    assert "holds no run" not in capsys.readouterr().err


def test_the_step_that_was_meant_is_named(kept: Kept, capsys: Captured) -> None:
    run, store = kept.record().run, kept.store.uri
    fix = fix_of(capsys, "logs", run, "ingset", "--store", store, what="no log of a step 'ingset'")
    meant = re.search(r"did you mean '(.+?)'\?", fix)
    assert meant
    assert meant[1] in kept.record().steps


def test_the_store_of_the_run_is_asked_for(kept: Kept, capsys: Captured, tmp_path: Path) -> None:
    wrong = str(tmp_path / "elsewhere")
    fix = fix_of(capsys, "show", "--store", wrong, what=f"there is no store {wrong}")
    option = re.search(r"(--\w+) PLACE", fix)
    assert option
    answers(capsys, "show", option[1], kept.store.uri)


def test_a_store_without_runs_says_what_makes_one(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "st").mkdir()
    fix = fix_of(capsys, "show", "--store", str(tmp_path / "st"), what="holds no run yet")
    assert fix == "slimline run CONFIG"
    answers(capsys, "show", "--store", Kept(tmp_path, DECISION).store.uri)


def test_a_run_that_read_no_images_leads_to_the_log_of_ingest(kept: Kept, capsys: Captured) -> None:
    """The command is whole: the store of the run is in it."""
    failed = {"state": "failed", "what": "x", "fix": "y", "user_fault": True}
    record = replace(kept.record(), run="again", steps={"ingest": failed})
    put_finished(kept.store, record)
    run, store = record.run, kept.store.uri
    fix = fix_of(capsys, "data", run, "--store", store, what="has read no images")
    assert shlex.split(fix) == ["slimline", "logs", run, "ingest", "--store", store]


def test_a_record_that_is_none_is_moved_out_of_the_store(
    kept: Kept, capsys: Captured, tmp_path: Path
) -> None:
    foreign = Path(kept.store.uri, "runs", "later", "run.json")
    foreign.parent.mkdir()
    foreign.write_text("notes of mine")
    what = "the record runs/later/run.json in the store"
    fix = fix_of(capsys, "show", "later", "--store", kept.store.uri, what=what)
    assert "move it out of the store" in fix
    assert main(["show", "--store", kept.store.uri]) == 0, "the others are shown all the same"
    assert what in capsys.readouterr().err
    foreign.rename(tmp_path / "notes.txt")
    answers(capsys, "show", "--store", kept.store.uri)


# places -----------------------------------------------------------------------------------------


def unwritable(place: Path, what: str) -> str:
    with pytest.raises(UserError, match=what) as caught:
        open_store(str(place)).put_if_absent("x", b"1" * 4096)
    return caught.value.fix


def test_a_file_in_the_way_of_a_store_is_moved_away(tmp_path: Path) -> None:
    (tmp_path / "disk").write_text("a file")
    fix = unwritable(tmp_path / "disk" / "store", "a file stands where a folder is expected")
    assert "move it away" in fix
    (tmp_path / "disk").rename(tmp_path / "file")
    assert open_store(str(tmp_path / "disk" / "store")).put_if_absent("x", b"1")


def test_a_store_on_a_disk_that_is_read_only_or_full(small_disk: Path, tmp_path: Path) -> None:
    (small_disk / "store").mkdir()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    fix = unwritable(small_disk / "store", "the file system is read-only")
    assert fix == "name a folder that can be written"
    assert open_store(str(tmp_path / "elsewhere")).put_if_absent("x", b"1")
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    free = os.statvfs(small_disk)
    ballast = small_disk / "ballast"
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize)
    assert "free some space there" in unwritable(small_disk / "store", "the disk is full")
    ballast.unlink()
    assert open_store(str(small_disk / "store")).put_if_absent("x", b"1" * 4096)


def test_a_bucket_that_is_missing_is_made(gcs: GcsServer, capsys: Captured) -> None:
    fix = fix_of(capsys, "runs", "--store", "gs://mine/x", what="there is no bucket 'mine'")
    command = re.search(r"gcloud storage buckets create gs://(\S+)$", fix)
    assert command, fix
    gcs.bucket(command[1])
    answers(capsys, "runs", "--store", "gs://mine/x")


def test_a_bucket_that_is_forbidden_is_opened_to_the_user(gcs: GcsServer, capsys: Captured) -> None:
    gcs.bucket("theirs").forbidden = True
    fix = fix_of(capsys, "runs", "--store", "gs://theirs/x", what="access is forbidden")
    command = re.search(r"gcloud storage buckets add-iam-policy-binding gs://(\S+) ", fix)
    assert command, fix
    gcs.bucket(command[1]).forbidden = False
    answers(capsys, "runs", "--store", "gs://theirs/x")


def test_a_place_is_written_as_is_shown(gcs: GcsServer, capsys: Captured) -> None:
    fix = fix_of(capsys, "runs", "--store", "gs://My_Bucket!/x", what="names no place in a bucket")
    place = re.search(r"write it like (gs://\S+)$", fix)
    assert place, fix
    gcs.bucket(place[1].split("/")[2])
    answers(capsys, "runs", "--store", place[1])


def test_a_store_of_another_kind_gets_the_forms_that_there_are(
    gcs: GcsServer, capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fix = fix_of(
        capsys, "runs", "--store", "gcs://bucket/prefix", what="no store of the kind 'gcs'"
    )
    place = re.search(r"did you mean '(\S+)'\?", fix)
    assert place, fix
    gcs.bucket("bucket")
    answers(capsys, "runs", "--store", place[1])


def test_the_address_of_another_service_is_written_as_is_shown(
    gcs: GcsServer, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    gcs.bucket("mine")
    port = gcs.url.rpartition(":")[2]
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"localhost:{port}")
    fix = fix_of(capsys, "runs", "--store", "gs://mine/x", what="expected a scheme, a host and a")
    shown = re.search(r"export (\w+)=(http://localhost):\d+", fix)
    assert shown, fix
    monkeypatch.setenv(shown[1], f"{shown[2]}:{port}")
    answers(capsys, "runs", "--store", "gs://mine/x")
