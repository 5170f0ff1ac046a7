"""The cache in front of a bucket."""

from __future__ import annotations

import hashlib
import os
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from components.contract.errors import UserError
from pipelines.stores.blobs import CACHE_BYTES, LIMIT_FILE, cache_limit
from pipelines.stores.bucket import BucketStore
from pipelines.stores.read_through import ReadThroughStore
from tests.servers.gcs.server import GcsServer


@pytest.fixture
def bucket(bucket_uri: str) -> BucketStore:
    return BucketStore(bucket_uri)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def blob(data: bytes) -> str:
    """The key under which these bytes are kept."""
    digest = hashlib.sha256(data).hexdigest()
    return f"cas/sha256/{digest[:2]}/{digest}"


def kept(folder: Path) -> dict[str, int]:
    """Name and size of what a cache holds."""
    files = (path for path in (folder / "cas").rglob("*") if path.is_file())
    return {path.name: path.stat().st_size for path in files}


@pytest.mark.parametrize("link", [False, True])
def test_a_blob_is_downloaded_once(
    gcs: GcsServer, bucket: BucketStore, folder: Path, tmp_path: Path, link: bool
) -> None:
    data = os.urandom(9 << 20)
    bucket.put_if_absent(blob(data), data)
    gcs.requests.clear()
    for index in range(3):
        store = ReadThroughStore(bucket, folder)
        path = tmp_path / f"{index}"
        assert store.fetch(blob(data), path, link=link) == hashlib.sha256(data).hexdigest()
        assert path.read_bytes() == data
        assert store.get(blob(data)) == data
    assert gcs.requests["download"] == 2, "one for each part of 8 MiB"
    copies = {(tmp_path / f"{index}").stat().st_ino for index in range(3)}
    assert len(copies) == (1 if link else 3)


def test_what_this_machine_wrote_is_not_downloaded(
    gcs: GcsServer, bucket: BucketStore, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "b").write_bytes(b"from a file")
    store = ReadThroughStore(bucket, folder)
    values = {blob(b"from bytes"): b"from bytes", blob(b"from a file"): tmp_path / "b"}
    assert all(store.put_many(values.items()))
    gcs.requests.clear()
    again = ReadThroughStore(bucket, folder)
    again.fetch_many((key, tmp_path / key) for key in values)
    assert again.get(blob(b"from bytes")) == b"from bytes"
    assert gcs.requests.total() == 0


def test_records_are_not_kept(gcs: GcsServer, bucket: BucketStore, folder: Path) -> None:
    store = ReadThroughStore(bucket, folder)
    store.put_if_absent("ac/entry.json", b"1")
    found = bucket.stat("ac/entry.json")
    assert found
    assert store.get("ac/entry.json") == b"1"
    bucket.replace_if_match("ac/entry.json", b"2", found.version)
    assert store.get("ac/entry.json") == b"2"
    assert kept(folder) == {}


def test_a_blob_that_left_the_store_is_missing_there(bucket: BucketStore, folder: Path) -> None:
    store = ReadThroughStore(bucket, folder)
    store.put_if_absent(blob(b"x"), b"x")
    found = bucket.stat(blob(b"x"))
    assert found
    bucket.delete_if_match(blob(b"x"), found.version)
    assert store.stat(blob(b"x")) is None
    assert list(store.list("")) == []


def test_a_damaged_file_is_downloaded_again(
    gcs: GcsServer, bucket: BucketStore, folder: Path, tmp_path: Path
) -> None:
    data = os.urandom(1000)
    store = ReadThroughStore(bucket, folder)
    store.put_if_absent(blob(data), data)
    for read in (
        lambda: store.fetch(blob(data), tmp_path / "file"),
        lambda: store.fetch(blob(data), tmp_path / "file", link=True),
        lambda: hashlib.sha256(store.get(blob(data))).hexdigest(),
    ):
        path = folder / blob(data)
        path.unlink()  # it may be linked to elsewhere
        path.write_bytes(bytes(1000))
        gcs.requests.clear()
        assert read() == hashlib.sha256(data).hexdigest()
        assert gcs.requests["download"] == 1
        assert path.read_bytes() == data
        assert read() == hashlib.sha256(data).hexdigest()
        assert gcs.requests["download"] == 1
    assert (tmp_path / "file").read_bytes() == data


def test_a_damaged_blob_is_not_kept(bucket: BucketStore, folder: Path, tmp_path: Path) -> None:
    key = blob(b"right")
    bucket.put_if_absent(key, b"wrong")
    store = ReadThroughStore(bucket, folder)
    assert store.fetch(key, tmp_path / "file") == hashlib.sha256(b"wrong").hexdigest()
    assert store.get(key) == b"wrong"
    assert kept(folder) == {}


def test_the_longest_unused_goes_first(bucket: BucketStore, folder: Path, tmp_path: Path) -> None:
    store = ReadThroughStore(bucket, folder, limit_bytes=100_000)
    values = [bytes([index]) * 30_000 for index in range(5)]
    for data in values[:3]:
        store.put_if_absent(blob(data), data)
        time.sleep(0.02)  # the clock of the file system ticks in milliseconds
    store.fetch(blob(values[0]), tmp_path / "used")
    store.put_if_absent(blob(values[3]), values[3])
    names = [Path(blob(data)).name for data in values]
    assert set(kept(folder)) == {names[0], names[2], names[3]}
    time.sleep(0.02)
    store.fetch(blob(values[2]), tmp_path / "used")
    bucket.put_if_absent(blob(values[4]), values[4])
    store.fetch(blob(values[4]), tmp_path / "new", link=True)
    assert set(kept(folder)) == {names[2], names[3], names[4]}


def test_what_a_running_step_uses_stays(bucket: BucketStore, folder: Path, tmp_path: Path) -> None:
    store = ReadThroughStore(bucket, folder, limit_bytes=70_000)
    values = [bytes([index]) * 30_000 for index in range(4)]
    store.put_if_absent(blob(values[0]), values[0])
    store.fetch(blob(values[0]), tmp_path / "input", link=True)
    for data in values[1:]:
        time.sleep(0.02)
        store.put_if_absent(blob(data), data)
    names = [Path(blob(data)).name for data in values]
    assert set(kept(folder)) == {names[0], names[3]}
    (tmp_path / "input").unlink()
    store.put_if_absent(blob(b"a" * 30_000), b"a" * 30_000)
    assert names[0] not in kept(folder)


def test_files_of_others_are_in_nobodys_way(bucket: BucketStore, folder: Path) -> None:
    (folder / "cas" / "sha256").mkdir(parents=True)
    (folder / "cas" / "sha256" / "a copy").write_bytes(b"2")
    store = ReadThroughStore(bucket, folder, limit_bytes=100_000)
    store.put_if_absent(blob(b"1"), b"1")
    assert store.get(blob(b"1")) == b"1"
    assert (folder / "cas" / "sha256" / "a copy").read_bytes() == b"2"


@pytest.mark.parametrize("limit", [200_000, 20_000])
def test_the_bound_holds_for_many(bucket: BucketStore, folder: Path, limit: int) -> None:
    """Also where what the threads put at the same time is as much as the cache may hold."""
    store = ReadThroughStore(bucket, folder, limit_bytes=limit)
    values = [index.to_bytes(2, "big") * 1000 for index in range(300)]
    store.put_many((blob(data), data) for data in values)
    assert sum(kept(folder).values()) <= 1.05 * limit
    for data in values:  # one at a time the cache is used to the full
        store.get(blob(data))
    assert 0.9 * limit <= sum(kept(folder).values()) <= 1.05 * limit


def test_what_is_larger_than_the_cache_passes_by(
    bucket: BucketStore, folder: Path, tmp_path: Path
) -> None:
    store = ReadThroughStore(bucket, folder, limit_bytes=1000)
    store.put_if_absent(blob(b"small"), b"small")
    data = bytes(2000)
    store.put_if_absent(blob(data), data)
    store.fetch(blob(data), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == data
    assert store.get(blob(data)) == data
    assert list(kept(folder).values()) == [5]


def test_the_folder_says_how_much_it_keeps(
    bucket: BucketStore, folder: Path, tmp_path: Path
) -> None:
    assert cache_limit(folder) == CACHE_BYTES
    values = [bytes([index]) * 2000 for index in range(40)]
    ReadThroughStore(bucket, folder).put_many((blob(data), data) for data in values)
    assert sum(kept(folder).values()) == 80_000
    (folder / LIMIT_FILE).write_text(" 0.00002\n")  # 21,474 bytes
    store = ReadThroughStore(bucket, folder)
    store.put_if_absent(blob(b"new"), b"new")
    assert 0 < sum(kept(folder).values()) <= 21_474
    for data in values:
        assert store.get(blob(data)) == data
        assert sum(kept(folder).values()) <= 1.05 * 21_474
    (folder / LIMIT_FILE).write_text("0.000001")  # 1,073 bytes: what passes by makes room, too
    data = bytes(2000)
    bucket.put_if_absent(blob(data), data)
    ReadThroughStore(bucket, folder).fetch(blob(data), tmp_path / "file")
    assert kept(folder) == {}


@pytest.mark.parametrize("text", ["", "0", "-3", "nan", "inf", "20 GiB", "\0"])
def test_a_limit_that_is_none_is_refused_with_the_command_that_sets_it(
    bucket: BucketStore, tmp_path: Path, text: str
) -> None:
    folder = tmp_path / "my cache"
    folder.mkdir()
    (folder / LIMIT_FILE).write_text(text)
    with pytest.raises(UserError, match="expected how many GiB") as caught:
        ReadThroughStore(bucket, folder)
    assert str(folder / LIMIT_FILE) in caught.value.what
    subprocess.run(caught.value.fix, shell=True, check=True)
    assert cache_limit(folder) == CACHE_BYTES
    ReadThroughStore(bucket, folder)


def test_many_steps_that_want_one_blob_download_it_once(
    gcs: GcsServer, bucket: BucketStore, folder: Path, tmp_path: Path
) -> None:
    data = os.urandom(100_000)
    bucket.put_if_absent(blob(data), data)
    gcs.requests.clear()
    gcs.latency_s = 0.1
    barrier = threading.Barrier(8)

    def fetch(index: int) -> str:
        # A store of its own, as another process has.
        store = ReadThroughStore(bucket, folder)
        barrier.wait()
        return store.fetch(blob(data), tmp_path / f"{index}")

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(fetch, range(8))) == {hashlib.sha256(data).hexdigest()}
    assert gcs.requests["download"] == 1


def test_making_room_while_others_read(bucket: BucketStore, folder: Path, tmp_path: Path) -> None:
    values = [os.urandom(10_000) for _ in range(8)]
    bucket.put_many((blob(data), data) for data in values)

    def work(index: int) -> bool:
        store = ReadThroughStore(bucket, folder, limit_bytes=25_000)
        for turn in range(24):
            data = values[(turn * 3 + index) % len(values)]
            path = tmp_path / f"{index}"
            if store.fetch(blob(data), path, link=turn % 2 == 0) != Path(blob(data)).name:
                return False
            if path.read_bytes() != data:
                return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(4)))


def test_a_full_disk(bucket: BucketStore, small_disk: Path, tmp_path: Path) -> None:
    data = os.urandom(3 << 20)
    bucket.put_if_absent(blob(data), data)
    store = ReadThroughStore(bucket, small_disk / "cache")
    for call in (
        lambda: store.fetch(blob(data), tmp_path / "file"),
        lambda: store.fetch(blob(data), tmp_path / "file", link=True),
        lambda: store.put_if_absent(blob(data), data),
    ):
        with pytest.raises(UserError, match="the disk is full") as caught:
            call()
        assert str(small_disk / "cache") in caught.value.what
    assert kept(small_disk / "cache") == {}


def test_a_cache_that_is_no_folder(bucket: BucketStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match="a file stands where a folder is expected"):
        ReadThroughStore(bucket, tmp_path / "file")
