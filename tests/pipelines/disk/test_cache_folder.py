"""A home that is missing or cannot be written costs time only, which is said once."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from components.contract.errors import UserError
from pipelines.disk.cache_folder import CacheWarning, cache_folder, cache_places
from tests.pipelines.cli.command_line import ROOT, TINY


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the cache goes when there is no home."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    return folder / f"slimline-cache-{os.geteuid()}"


def broken_home(kind: str, folder: Path) -> str:
    """Return a home in which nothing can be written, also by root."""
    if kind == "file":
        (folder / "home").touch()
    if kind == "loop":
        (folder / "home").symlink_to("home")
    places = {"proc": "/proc/slimline", "empty": "", "long": str(folder / ("n" * 300))}
    return places.get(kind, str(folder / "home"))


def test_the_users_own_place_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with warnings.catch_warnings():
        warnings.simplefilter("error", CacheWarning)
        assert cache_folder() == tmp_path / "home" / ".cache" / "slimline"
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "kept"))
        assert cache_folder() == tmp_path / "kept" / "slimline"
        monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # the convention says: to be ignored
        assert cache_folder() == tmp_path / "home" / ".cache" / "slimline"
    assert list(cache_folder().iterdir()) == []


@pytest.mark.parametrize("variable", ["HOME", "XDG_CACHE_HOME"])
@pytest.mark.parametrize("kind", ["file", "loop", "proc", "long", "empty"])
def test_a_temporary_place_is_taken_and_said(
    variable: str, kind: str, tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if (variable, kind) == ("XDG_CACHE_HOME", "empty"):
        pytest.skip("an empty one is as good as none")
    monkeypatch.setenv(variable, broken_home(kind, tmp_path))
    with pytest.warns(CacheWarning, match="may have to be downloaded and hashed again"):
        assert cache_folder() == temporary
    assert temporary.stat().st_mode & 0o777 == 0o700
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "given"))  # what the warning advises
    with warnings.catch_warnings():
        warnings.simplefilter("error", CacheWarning)
        assert cache_folder() == tmp_path / "given" / "slimline"


def test_a_user_whom_nobody_knows(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    assert len(cache_places()) == 2, "the list of users knows this one"
    monkeypatch.setattr("pwd.getpwuid", lambda number: {}[number])
    with pytest.warns(CacheWarning, match="the home folder of this user is not known"):
        assert cache_folder() == temporary


def test_no_place_at_all(temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", broken_home("file", tmp_path))
    temporary.symlink_to(tmp_path)  # not this user's own, whoever made it
    with pytest.raises(UserError, match="nothing can be kept on this machine") as said:
        cache_folder()
    assert said.value.fix.startswith("export XDG_CACHE_HOME=FOLDER")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "given"))
    assert cache_folder() == tmp_path / "given" / "slimline"


def test_a_full_disk_is_none_to_leave(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told so where it is written, and may be cleared."""
    monkeypatch.setenv("HOME", str(small_disk))
    cache_folder()
    stat = os.statvfs(small_disk)
    with (small_disk / "ballast").open("wb") as ballast:
        os.posix_fallocate(ballast.fileno(), 0, stat.f_bavail * stat.f_frsize)
    assert cache_folder().is_relative_to(small_disk)


@pytest.mark.parametrize("kind", ["unset", "proc", "read-only"])
def test_a_command_says_it_once_and_ends_well(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    environment.pop("HOME", None)
    if kind == "proc":
        environment["HOME"] = "/proc/slimline"
    if kind == "read-only":
        disk = request.getfixturevalue("small_disk")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        environment["HOME"] = str(disk)
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", "explain", str(TINY), "--store", "st"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("warning:") == (kind != "unset"), done.stderr
    assert "Traceback" not in done.stderr
