"""What every store promises."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipelines.stores.opening import open_store
from pipelines.stores.store import KeyMissing, Store, check_key
from tests.pipelines.stores.racing import race

ROUNDS = pytest.mark.parametrize("rounds", [2, pytest.param(5, marks=pytest.mark.slow)])
LARGE = os.urandom(20 << 20)  # several parts of a transfer, and not a whole number of them
NO_KEYS = (
    "",
    "/",
    "a/",
    "/a",
    "a//b",
    "a/../b",
    "..",
    ".",
    "a/.",
    "tmp/x",
    "a b",
    "ä",
    "a\n",
    "a:b",
)


def test_what_was_never_written_is_missing(store: Store, tmp_path: Path) -> None:
    assert store.stat("a/b") is None
    assert list(store.list("")) == []
    assert not store.replace_if_match("a/b", b"x", "1")
    assert not store.delete_if_match("a/b", "1")
    with pytest.raises(KeyMissing, match="a/b"):
        store.get("a/b")
    with pytest.raises(KeyMissing):
        store.get("a/b", 3, 3)
    (tmp_path / "there").mkdir()
    with pytest.raises(KeyMissing):
        store.fetch("a/b", tmp_path / "there" / "file")
    assert list((tmp_path / "there").iterdir()) == []


def test_the_first_value_stays(store: Store) -> None:
    assert store.put_if_absent("a/b", b"first")
    assert not store.put_if_absent("a/b", b"second, and longer")
    assert store.get("a/b") == b"first"
    found = store.stat("a/b")
    assert found is not None
    assert found.size_bytes == 5


@pytest.mark.parametrize("value", [b"", b"\0", b"\r\n--boundary--\r\n", bytes(range(256)) * 5000])
def test_a_value_comes_back(store: Store, tmp_path: Path, value: bytes) -> None:
    (tmp_path / "given").write_bytes(value)
    assert store.put_if_absent("from-bytes", value)
    assert store.put_if_absent("from-file", tmp_path / "given")
    for key in ("from-bytes", "from-file"):
        assert store.get(key) == value
        assert store.fetch(key, tmp_path / key) == hashlib.sha256(value).hexdigest()
        assert (tmp_path / key).read_bytes() == value


def test_a_large_value_comes_back(store: Store, tmp_path: Path) -> None:
    digest = hashlib.sha256(LARGE).hexdigest()
    (tmp_path / "given").write_bytes(LARGE)
    for key, data in (
        ("x/bytes", LARGE),
        (f"cas/sha256/{digest[:2]}/{digest}", tmp_path / "given"),
    ):
        assert store.put_if_absent(key, data)
        assert not store.put_if_absent(key, b"other")
        for link in (False, True):
            assert store.fetch(key, tmp_path / "there" / "file", link=link) == digest
            assert (tmp_path / "there" / "file").read_bytes() == LARGE
        assert store.get(key) == LARGE
        assert store.get(key, 8_000_000, 9_000_000) == LARGE[8_000_000:9_000_000]
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["file"]


def test_ranges_are_slices(store: Store) -> None:
    value = b"0123456789"
    store.put_if_absent("a", value)
    for start in range(12):
        assert store.get("a", start) == value[start:]
        for end in range(start, 13):
            assert store.get("a", start, end) == value[start:end], (start, end)
    for start, end in ((-1, None), (3, 2), (-3, -1)):
        with pytest.raises(ValueError, match="range"):
            store.get("a", start, end)


def test_a_value_is_replaced_by_a_file(store: Store, tmp_path: Path) -> None:
    store.put_if_absent("a", b"old")
    file = tmp_path / "file"
    file.write_bytes(b"new and longer")
    before = store.stat("a")
    assert before
    assert store.replace_if_match("a", file, before.version)
    assert store.get("a") == b"new and longer"
    assert not store.replace_if_match("a", file, before.version)


def test_fetch_replaces_the_file(store: Store, tmp_path: Path) -> None:
    store.put_if_absent("a", b"new")
    path = tmp_path / "deep" / "er" / "file"
    for link in (False, True, True, False):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(b"old and longer")
        assert store.fetch("a", path, link=link) == hashlib.sha256(b"new").hexdigest()
        assert path.read_bytes() == b"new"
    path.write_bytes(b"mine")
    assert store.get("a") == b"new"


def test_swap_needs_the_version_at_hand(store: Store) -> None:
    store.put_if_absent("a", b"0")
    versions: list[str] = []
    for value in (b"1", b"1", b"0", b""):  # a value that comes again is another version
        found = store.stat("a")
        assert found is not None
        versions.append(found.version)
        assert store.replace_if_match("a", value, found.version)
        assert store.get("a") == value
    assert len(set(versions)) == len(versions)
    for version in versions:
        assert not store.replace_if_match("a", b"x", version)
        assert not store.delete_if_match("a", version)
    assert store.get("a") == b""


def test_delete_needs_the_version_at_hand(store: Store) -> None:
    store.put_if_absent("a/b", b"0")
    first = store.stat("a/b")
    assert first is not None
    assert store.delete_if_match("a/b", first.version)
    assert store.stat("a/b") is None
    assert list(store.list("")) == []
    assert not store.delete_if_match("a/b", first.version)
    assert store.put_if_absent("a/b", b"0")
    assert not store.delete_if_match("a/b", first.version), "the version of a value that is gone"
    assert store.get("a/b") == b"0"


def test_list_is_in_the_order_of_whole_keys(store: Store) -> None:
    keys = ["a-b", "a.b", "a/b", "a/b-c/d", "a/c", "a0", "ab/c", "b", "B", "a=b", "a_b", "aa/a/a/a"]
    assert all(store.put_many((key, b"") for key in keys))
    assert list(store.list("")) == sorted(keys)
    for prefix in ("a", "a/", "a/b", "a/b-", "a/b-c/", "ab", "ab/", "b", "c", "a/b/", "aa/a", "t"):
        expected = sorted(key for key in keys if key.startswith(prefix))
        assert list(store.list(prefix)) == expected, prefix


def test_list_is_longer_than_a_page(store: Store) -> None:
    keys = [f"n/{index:04d}" for index in range(1100)]
    store.put_many((key, b"") for key in keys)
    assert list(store.list("n/")) == keys


def test_many_at_a_time(store: Store, tmp_path: Path) -> None:
    values = {f"m/{index}": f"value {index}".encode() * index for index in range(60)}
    assert store.put_if_absent("m/7", b"there before")
    written = store.put_many(values.items())
    assert written == tuple(key != "m/7" for key in values)
    found = store.stat_many([*values, "m/nowhere"])
    assert found == (*(store.stat(key) for key in values), None)
    digests = store.fetch_many((key, tmp_path / key) for key in values)
    values["m/7"] = b"there before"
    assert digests == tuple(hashlib.sha256(value).hexdigest() for value in values.values())
    assert all((tmp_path / key).read_bytes() == value for key, value in values.items())
    with pytest.raises(KeyMissing, match="nowhere"):
        store.fetch_many([("m/1", tmp_path / "x"), ("m/nowhere", tmp_path / "y")])


@pytest.mark.parametrize("key", NO_KEYS)
def test_no_key(store: Store, tmp_path: Path, key: str) -> None:
    for call in (
        lambda: store.put_if_absent(key, b""),
        lambda: store.replace_if_match(key, b"", "1"),
        lambda: store.get(key),
        lambda: store.fetch(key, tmp_path / "file"),
        lambda: store.stat(key),
        lambda: store.delete_if_match(key, "1"),
    ):
        with pytest.raises(ValueError, match="no key"):
            call()


def test_a_key_may_be_what_keys_are_made_of() -> None:
    for key in (
        "a",
        "cas/sha256/ab/abcdef",
        "runs/2024-01-01T00.00=x_1/steps/a.json",
        "...",
        "a/tmp",
    ):
        assert check_key(key) == key


def test_the_uri_opens_the_same_store(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store.put_if_absent("a", b"1")
    again = open_store(store.uri, cache=tmp_path / "other-cache")
    assert again.uri == store.uri
    assert again.get("a") == b"1"


def _at_once(count: int, call: Callable[[int], bool]) -> list[bool]:
    barrier = threading.Barrier(count)

    def called(index: int) -> bool:
        barrier.wait()
        return call(index)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(called, range(count)))


@ROUNDS
def test_one_of_20_creators_wins(store: Store, rounds: int) -> None:
    for round_ in range(rounds):
        key = f"race/{round_}"
        won = _at_once(20, lambda index, key=key: store.put_if_absent(key, b"%d" % index))
        assert won.count(True) == 1
        assert store.get(key) == b"%d" % won.index(True)


@ROUNDS
def test_one_of_20_swappers_wins(store: Store, rounds: int) -> None:
    store.put_if_absent("swap", b"start")
    for _ in range(rounds):
        found = store.stat("swap")
        assert found is not None
        won = _at_once(
            20, lambda index, v=found.version: store.replace_if_match("swap", b"%d" % index, v)
        )
        assert won.count(True) == 1
        assert store.get("swap") == b"%d" % won.index(True)


@ROUNDS
def test_one_of_20_deleters_wins(store: Store, rounds: int) -> None:
    for _ in range(rounds):
        store.put_if_absent("gone", b"x")
        found = store.stat("gone")
        assert found is not None
        won = _at_once(20, lambda _, v=found.version: store.delete_if_match("gone", v))
        assert won.count(True) == 1


@pytest.mark.parametrize(
    "kind", ["directory", "bucket", pytest.param("s3", marks=pytest.mark.slow)]
)
def test_20_rounds_of_two_processes(kind: str, open_kind: Callable[[str], Store]) -> None:
    store = open_kind(kind)
    totals = race(store, rounds=20, keys=10)
    assert sum(totals) == 20 * 10, "each key has one writer"
    counter = store.get("counter")
    assert int(counter) == 20 * 2, "each process counted once a round, and no count was lost"
