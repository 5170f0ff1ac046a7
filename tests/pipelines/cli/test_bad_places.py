"""Places that cannot be used, seen from outside: said with a fix, exit code 2, nothing half done."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers.gcs.server import GcsServer

ROOT = Path(__file__).parents[3]
TINY = ROOT / "tests" / "data" / "tiny.yaml"


def run(folder: Path, *arguments: str | bytes, **environment: str) -> str:
    """Run the smallest configuration where it must fail; return what was said."""
    return refused(folder, "run", str(TINY), *arguments, **environment)


def refused(folder: Path, *arguments: str | bytes, **environment: str) -> str:
    """Call the command line as it must not be called; return what was said."""
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "error: " in done.stderr
    assert "\nfix: " in done.stderr
    assert not (folder / "slimline-out").exists()
    return done.stderr


def requester_pays(gcs: GcsServer) -> None:
    gcs.bucket("theirs").requester_pays = True


def forbidden(gcs: GcsServer) -> None:
    gcs.bucket("theirs").forbidden = True


def read_only(gcs: GcsServer) -> None:
    gcs.bucket("theirs").read_only = True


def nothing(_: GcsServer) -> None:
    """All is well with the service."""


@pytest.mark.parametrize("option", ["--store", "--data"])
@pytest.mark.parametrize(
    ("place", "given", "what", "fix"),
    [
        ("gs://nowhere/x", nothing, "no bucket 'nowhere'", "buckets create gs://nowhere"),
        ("gs://theirs/x", forbidden, "access is forbidden", "add-iam-policy-binding gs://theirs"),
        ("gs://theirs/x", requester_pays, "the bucket is another project's", "of your own project"),
        ("gs://Theirs/x", nothing, "'gs://Theirs/x' names no", "write it like gs://my-bucket"),
        ("gs://theirs/../x", nothing, "names no", "write it like gs://my-bucket"),
    ],
)
def test_a_bucket(
    gcs: GcsServer,
    tmp_path: Path,
    option: str,
    place: str,
    given: Callable[[GcsServer], None],
    what: str,
    fix: str,
) -> None:
    given(gcs)
    store = () if option == "--store" else ("--store", str(tmp_path / "store"))
    said = run(tmp_path, option, place, *store, HOME=str(tmp_path / "home"))
    assert what in said
    assert fix in said
    assert not (tmp_path / "store/runs").exists()
    assert not any(bucket.objects for bucket in gcs.storage.buckets.values())


def test_a_bucket_that_must_not_be_written(gcs: GcsServer, tmp_path: Path) -> None:
    read_only(gcs)
    said = run(tmp_path, "--store", "gs://theirs/x", HOME=str(tmp_path / "home"))
    assert "gs://theirs/x: access is forbidden" in said
    assert "storage.objects.create" in said
    assert not gcs.bucket("theirs").objects


def test_no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(("GOOGLE_", "CLOUDSDK_", "GCLOUD_", "STORAGE_EMULATOR")):
            monkeypatch.delenv(name)
    for option in ("--store", "--data"):
        said = run(tmp_path, option, "gs://mine/x", HOME=str(tmp_path), NO_GCE_CHECK="true")
        assert "this machine has no Google Cloud credentials" in said
        assert "gcloud auth application-default login" in said


def test_a_folder_that_must_not_be_written(small_disk: Path, tmp_path: Path) -> None:
    (small_disk / "store").mkdir()
    remount = ["mount", "-o", "remount,{}", str(small_disk)]
    subprocess.run([part.format("ro") for part in remount], check=True)
    try:
        said = run(tmp_path, "--store", str(small_disk / "store"))
    finally:
        subprocess.run([part.format("rw") for part in remount], check=True)
    assert "the file system is read-only" in said
    assert str(small_disk / "store") in said


@pytest.mark.parametrize("free_bytes", [0, 20_000, 150_000])
def test_a_full_disk_under_the_cache_and_the_scratch(
    gcs: GcsServer, small_disk: Path, tmp_path: Path, free_bytes: int
) -> None:
    gcs.bucket("stores")
    stat = os.statvfs(small_disk)
    with (small_disk / "ballast").open("wb") as ballast:
        size_bytes = stat.f_bavail * stat.f_frsize - free_bytes
        os.posix_fallocate(ballast.fileno(), 0, size_bytes)
    said = run(tmp_path, "--store", "gs://stores/x", HOME=str(small_disk))
    assert "full" in said
    assert str(small_disk) in said
    # What is done is whole: nothing is an answer whose bytes are not there.
    names = set(gcs.bucket("stores").objects)
    assert not {name for name in names if name.startswith("x/ac/")}


# names and places of this machine ----------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", TINY, "--store", b"st\xff"),
        ("run", TINY, "--store", "st", "--output", b"out\xff"),
        ("explain", b"c\xff.yaml"),
        ("compile", TINY, "-o", b"p\xff.yaml"),
        ("doctor", "--store", b"st\xff"),
        ("show", b"run\xff"),
        ("init", b"c\xff.yaml"),
    ],
)
def test_names_that_are_not_utf_8(tmp_path: Path, arguments: tuple[str | bytes, ...]) -> None:
    said = refused(tmp_path, *arguments)
    assert "\\xff" in said
    assert "is not UTF-8" in said
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_utf_8(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/f\xff"))
    folder.mkdir()
    (folder / "c.yaml").write_bytes(TINY.read_bytes())
    for said in (
        refused(folder, "run", "c.yaml"),
        refused(folder, "run", "c.yaml", "--store", str(tmp_path / "store")),
        run(folder, "--store", "st"),
        refused(folder, "doctor"),
    ):
        assert "is not UTF-8" in said
    assert [path.name for path in folder.iterdir()] == ["c.yaml"]


def test_a_home_that_is_not_utf_8(gcs: GcsServer, tmp_path: Path) -> None:
    gcs.bucket("stores")
    home = os.fsdecode(os.fsencode(tmp_path) + b"/home\xff")
    assert "is not UTF-8" in run(tmp_path, "--store", "gs://stores/x", HOME=home)


def test_arguments_with_control_characters_and_without_any(tmp_path: Path) -> None:
    assert "'a\\nb' holds a control character" in run(tmp_path, "--store", "a\nb")
    for empty in (("--store", ""), ("--data=",), ("--output", "")):
        assert "an argument is empty" in run(tmp_path, *empty)
    assert not list(tmp_path.iterdir())


def test_a_home_that_nobody_knows(tmp_path: Path) -> None:
    for arguments in (("--store", "~nobody-of-this-name/st"), ("--data", "~nobody-of-this-name")):
        assert "the home folder that ~ stands for is not known" in run(tmp_path, *arguments)
    said = refused(tmp_path, "runs", "--store", "~nobody-of-this-name/st")
    assert "the home folder that ~ stands for is not known" in said


def test_a_working_folder_that_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    program = "import os, sys; os.rmdir(os.getcwd()); from pipelines.cli.main import main; sys.exit(main())"
    for arguments in (("explain", str(TINY), "--store", "st"), ("runs",), ("doctor",)):
        folder.mkdir(exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2, done.stderr
        assert "the working folder, which is gone" in done.stderr
        assert "\nfix: cd to" in done.stderr


@pytest.mark.parametrize(
    ("command", "place", "what"),
    [
        ("run", "dangling", "something stands where a folder is expected"),
        ("run", "/proc", "there is no such place"),
        ("show", "n" * 300, "the path is too long"),
        ("runs", "n" * 300, "the path is too long"),
        ("doctor", "n" * 300, "the path is too long"),
        ("runs", "loop/st", "there is no store"),
        ("run", "loop/st", "links lead to each other in a loop"),
        ("explain", "loop/st", "links lead to each other in a loop"),
    ],
)
def test_a_store_that_cannot_be_looked_for(
    tmp_path: Path, command: str, place: str, what: str
) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("nothing")
    config = (str(TINY),) if command in ("run", "explain") else ()
    assert what in refused(tmp_path, command, *config, "--store", place)


def test_an_output_that_must_not_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/thesis.txt").write_text("mine")
    for place in ("file", "/dev/null", ".", "/", "..", "file/out"):
        said = run(tmp_path, "--store", "st", "--output", place)
        assert "is no folder that a release can replace" in said
    assert "thesis.txt is nothing that slimline wrote there" in run(
        tmp_path, "--store", "st", "--output", "folder"
    )
    assert not (tmp_path / "st").exists()
    assert (tmp_path / "folder/thesis.txt").read_text() == "mine"
