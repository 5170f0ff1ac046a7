"""The runtime folder is this user's own, whatever others put in its place."""

import os
from pathlib import Path

import pytest

from components.contract.errors import UserError
from pipelines.disk import runtime_folder
from pipelines.disk.runtime_folder import opened_runtime_folder, runtime_folders

OTHER = 12345


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Two places of this test's own, the better one first."""
    found = (tmp_path / "one" / "slimline", tmp_path / "two" / "slimline")
    for place in found:
        place.parent.mkdir(mode=0o755)
    monkeypatch.setattr(runtime_folder, "runtime_folders", lambda: found)
    return found


def opened():
    with opened_runtime_folder() as handle:
        place = Path(f"/proc/self/fd/{handle}").readlink()
        return str(place), os.fstat(handle).st_mode & 0o777


def test_the_best_place_is_made_for_this_user_alone(places):
    assert opened() == (str(places[0]), 0o700)
    places[0].chmod(0o777)
    assert opened() == (str(places[0]), 0o700)


def test_a_link_is_not_followed(places, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    places[0].symlink_to(tmp_path / "elsewhere")
    assert opened() == (str(places[1]), 0o700)
    assert (tmp_path / "elsewhere").stat().st_mode & 0o777 != 0o700


def test_what_is_no_folder_or_another_users_is_passed_over(places):
    places[0].touch()
    assert opened()[0] == str(places[1])
    places[0].unlink()
    if os.geteuid() != 0:
        pytest.skip("giving a folder to another user needs root")
    places[0].mkdir()
    os.chown(places[0], OTHER, OTHER)
    assert opened()[0] == str(places[1])
    assert places[0].stat().st_uid == OTHER


def test_no_place_at_all_is_said_and_the_fix_helps(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.touch()
    everything = runtime_folders

    def without_others():
        return tuple(p for p in everything() if str(p).startswith(str(tmp_path)))

    monkeypatch.setattr(runtime_folder, "runtime_folders", without_others)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(blocked))
    with pytest.raises(UserError, match="no folder can be made for the locks of this user") as said:
        opened()
    assert (
        f"set XDG_RUNTIME_DIR to a folder that user {os.geteuid()} alone can use" == said.value.fix
    )
    own = tmp_path / "own"
    own.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(own))
    assert opened() == (str(own / "slimline"), 0o700)


def test_a_relative_runtime_folder_is_none(monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", "here")
    assert all(place.is_absolute() for place in runtime_folders())
