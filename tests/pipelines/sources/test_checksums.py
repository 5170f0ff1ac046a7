"""The checksum cache: what it may answer for, and what it must not."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from components.contract.digests import file_sha256
from components.contract.errors import UserError
from pipelines.sources.checksums import ChecksumCache, FileState, ObjectState, hash_unchanged

LATER_NS = 10_000_000_000


def _state(path: Path) -> FileState:
    return FileState.of(str(path), path.stat())


def _file(folder: Path, name: str = "a", text: str = "one") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_answers_for_files_under_the_folder_only(tmp_path: Path) -> None:
    seen_ns = time.time_ns() + LATER_NS
    for folder in ("data", "data0", "data-b"):
        (tmp_path / folder).mkdir()
    inside = _state(_file(tmp_path / "data"))
    beside = [_state(_file(tmp_path / folder)) for folder in ("data0", "data-b")]
    with ChecksumCache(tmp_path / "cache" / "sums") as cache:
        cache.remember([(state, "f" * 64) for state in (inside, *beside)], seen_ns)
    with ChecksumCache(tmp_path / "cache" / "sums") as cache:
        assert cache.known(str(tmp_path / "data")) == {inside: "f" * 64}
        assert cache.known(inside.path) == {inside: "f" * 64}
        assert len(cache.known("/")) == 3


def test_a_file_that_changed_is_not_known(tmp_path: Path) -> None:
    path = _file(tmp_path)
    with ChecksumCache(tmp_path / "sums") as cache:
        cache.remember([(_state(path), "f" * 64)], time.time_ns() + LATER_NS)
        old = path.stat()
        path.write_text("two")  # as long as before, and its time set back:
        os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns))
        assert path.stat().st_mtime_ns == old.st_mtime_ns
        assert _state(path) not in cache.known(str(tmp_path))


def test_a_file_that_changed_just_now_is_not_remembered(tmp_path: Path) -> None:
    path = _file(tmp_path)
    with ChecksumCache(tmp_path / "sums") as cache:
        cache.remember([(_state(path), "f" * 64)], time.time_ns())
        assert cache.known(str(tmp_path)) == {}


def test_what_is_no_database_is_replaced(tmp_path: Path) -> None:
    broken = _file(tmp_path, "sums", "this is no database" * 100)
    state = _state(_file(tmp_path))
    with ChecksumCache(broken) as cache:
        assert cache.known("/") == {}
        cache.remember([(state, "f" * 64)], time.time_ns() + LATER_NS)
    with ChecksumCache(broken) as cache:
        assert cache.known("/") == {state: "f" * 64}


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    _file(tmp_path, "blocked")
    with (
        pytest.raises(UserError, match=r"checksum cache .* cannot be used"),
        ChecksumCache(tmp_path / "blocked" / "sums"),
    ):
        pass


def test_hashing_notices_a_file_that_changes_meanwhile(tmp_path: Path) -> None:
    path = _file(tmp_path)
    state = _state(path)
    assert hash_unchanged(state) == file_sha256(path)
    path.write_text("longer than before")
    with pytest.raises(UserError, match="changed while it was read"):
        hash_unchanged(state)


def test_a_full_disk_asks_for_space(small_disk: Path) -> None:
    path = small_disk / "checksums.sqlite"
    with ChecksumCache(path) as cache:
        (small_disk / "rest").write_bytes(bytes(1_000_000))
        with pytest.raises(UserError, match=r"checksums.sqlite cannot be used: .*full") as caught:
            cache.remember_objects(
                {ObjectState("data", f"{n}" * 100, 1, 1, ""): "0" * 64 for n in range(10_000)}
            )
        assert caught.value.fix == f"free some space in {small_disk}"
        (small_disk / "rest").unlink()
        assert cache.known_objects("data", "") == {}
    (small_disk / "checksums.sqlite").unlink()
    (small_disk / "rest").write_bytes(bytes(1 << 20))
    with pytest.raises(UserError, match="cannot be used") as caught, ChecksumCache(path):
        raise AssertionError("opened without space")
    assert caught.value.fix == f"free some space in {small_disk}"
