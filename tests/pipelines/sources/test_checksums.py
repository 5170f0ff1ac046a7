"""The checksum cache: what it may answer for, and what it must not."""

from __future__ import annotations

import os
import time
import warnings
from pathlib import Path

import pytest

from components.contract.digests import file_sha256
from components.contract.errors import UserError
from pipelines.disk.cache_folder import CacheWarning
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


def test_a_place_that_cannot_be_written_is_said_and_costs_time_only(tmp_path: Path) -> None:
    _file(tmp_path, "blocked")
    state = _state(_file(tmp_path))
    with (
        warnings.catch_warnings(record=True) as said,
        ChecksumCache(tmp_path / "blocked/sums") as cache,
    ):
        cache.remember([(state, "f" * 64)], time.time_ns() + LATER_NS)
        assert cache.known("/") == {}
    (one,) = [warning for warning in said if warning.category is CacheWarning]
    assert "cannot be used" in str(one.message)
    assert "data is hashed again" in str(one.message)


def test_hashing_notices_a_file_that_changes_meanwhile(tmp_path: Path) -> None:
    path = _file(tmp_path)
    state = _state(path)
    assert hash_unchanged(state) == file_sha256(path)
    path.write_text("longer than before")
    with pytest.raises(UserError, match="changed while it was read"):
        hash_unchanged(state)


def test_a_full_disk_asks_for_space(small_disk: Path) -> None:
    path = small_disk / "checksums.sqlite"
    full = rf"checksums.sqlite cannot be used: .*full.*\(free some space in {small_disk}\)"
    with ChecksumCache(path) as cache:
        (small_disk / "rest").write_bytes(bytes(1_000_000))
        with pytest.warns(CacheWarning, match=full):
            cache.remember_objects(
                {
                    ObjectState("gs://data", f"{n}" * 100, "1", 1, ""): "0" * 64
                    for n in range(10_000)
                }
            )
        assert cache.known_objects("gs://data", "") == {}
    for left in small_disk.iterdir():
        left.unlink()
    (small_disk / "rest").write_bytes(bytes(os.statvfs(small_disk).f_bavail * 4096))
    with pytest.warns(CacheWarning, match=full):
        ChecksumCache(path).__enter__()
    (small_disk / "rest").unlink()
    with ChecksumCache(path) as cache:
        cache.remember_objects({ObjectState("gs://data", "a", "1", 1, ""): "0" * 64})
        assert len(cache.known_objects("gs://data", "")) == 1
