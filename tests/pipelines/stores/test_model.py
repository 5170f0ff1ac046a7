"""Any sequence of calls on a store does what a dictionary would."""

from __future__ import annotations

import hashlib
import itertools
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from pipelines.stores.bucket import BucketStore
from pipelines.stores.directory import DirectoryStore
from pipelines.stores.read_through import ReadThroughStore
from pipelines.stores.retrying import RetryPolicy
from pipelines.stores.store import KeyMissing, Store
from tests.servers.gcs.server import GcsServer
from tests.servers.s3.proxy import S3Proxy
from tests.servers.s3.seaweedfs import BUCKET

VALUES = (b"", b"0", b"1", b"some text", bytes(range(256)) * 20)
BLOBS = {f"cas/sha256/{d[:2]}/{d}": v for v in VALUES if (d := hashlib.sha256(v).hexdigest())}
KEYS = ("ac/a.json", "ac/a-b", "ac/a.b/c", "runs/1/x", "b", *BLOBS)

keys = st.sampled_from(KEYS)
values = st.sampled_from(VALUES)


class AgainstDictionary(RuleBasedStateMachine):
    """Makes calls on a store and on a dictionary, and compares."""

    def __init__(self, reopen: Callable[[], Store], folder: Path) -> None:
        super().__init__()
        self.reopen = reopen
        self.store = reopen()
        self.folder = folder
        self.there: dict[str, bytes] = {}
        self.versions: dict[str, list[str]] = {key: ["1"] for key in KEYS}

    def write(self, key: str, value: bytes) -> None:
        self.there[key] = value
        found = self.store.stat(key)
        assert found
        assert found.version not in self.versions[key], "a version came again"
        self.versions[key].append(found.version)

    def is_current(self, key: str, version: str) -> bool:
        return key in self.there and version == self.versions[key][-1]

    @rule(key=keys, value=values, from_file=st.booleans())
    def put(self, key: str, value: bytes, from_file: bool) -> None:
        value = BLOBS.get(key, value)
        data: bytes | Path = value
        if from_file:
            data = self.folder / "given"
            data.write_bytes(value)
        won = self.store.put_if_absent(key, data)
        assert won == (key not in self.there)
        if won:
            self.write(key, value)

    @rule(items=st.lists(st.tuples(keys, values), unique_by=lambda item: item[0]))
    def put_many(self, items: list[tuple[str, bytes]]) -> None:
        items = [(key, BLOBS.get(key, value)) for key, value in items]
        won = self.store.put_many(items)
        assert won == tuple(key not in self.there for key, _ in items)
        for (key, value), mine in zip(items, won, strict=True):
            if mine:
                self.write(key, value)

    @rule(key=keys, value=values, back=st.integers(1, 3))
    def swap(self, key: str, value: bytes, back: int) -> None:
        value = BLOBS.get(key, value)
        version = self.versions[key][-min(back, len(self.versions[key]))]
        won = self.store.replace_if_match(key, value, version)
        assert won == self.is_current(key, version)
        if won:
            self.write(key, value)

    @rule(key=keys, back=st.integers(1, 3))
    def delete(self, key: str, back: int) -> None:
        version = self.versions[key][-min(back, len(self.versions[key]))]
        won = self.store.delete_if_match(key, version)
        assert won == self.is_current(key, version)
        if won:
            del self.there[key]

    @rule(key=keys, start=st.integers(0, 12), length=st.none() | st.integers(0, 12))
    def get(self, key: str, start: int, length: int | None) -> None:
        end = None if length is None else start + length
        if key in self.there:
            assert self.store.get(key, start, end) == self.there[key][start:end]
        else:
            with pytest.raises(KeyMissing):
                self.store.get(key, start, end)

    @rule(key=keys, link=st.booleans())
    def fetch(self, key: str, link: bool) -> None:
        path = self.folder / "fetched"
        # A cache may still have a blob that its store has lost: who fetches has asked stat before.
        if key in self.there:
            digest = self.store.fetch(key, path, link=link)
            assert path.read_bytes() == self.there[key]
            assert digest == hashlib.sha256(self.there[key]).hexdigest()
        elif key not in BLOBS:
            path.unlink(missing_ok=True)
            with pytest.raises(KeyMissing):
                self.store.fetch(key, path, link=link)
            assert not path.exists()

    @rule(prefix=st.sampled_from(("", "a", "ac/", "ac/a", "ac/a.b/", "cas/sha256/", "b", "zz")))
    def list(self, prefix: str) -> None:
        expected = sorted(key for key in self.there if key.startswith(prefix))
        assert [*self.store.list(prefix)] == expected

    @rule()
    def open_again(self) -> None:
        self.store = self.reopen()

    @invariant()
    def versions_stay(self) -> None:
        for key in ("ac/a.json", "b"):
            found = self.store.stat(key)
            assert (found is not None) == (key in self.there)
            if found:
                assert found.version == self.versions[key][-1]
                assert found.size_bytes == len(self.there[key])


def run(reopener: Callable[[Path], Callable[[], Store]], folder: Path, examples: int) -> None:
    """Let hypothesis try sequences of calls, each on a store of its own."""
    run_state_machine_as_test(
        lambda: (
            (place := Path(tempfile.mkdtemp(dir=folder)))
            and AgainstDictionary(reopener(place), place)
        ),
        settings=settings(
            max_examples=examples,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
            derandomize=True,
        ),
    )


def test_directory(fast_disk: Path) -> None:
    run(lambda place: lambda: DirectoryStore(place / "store"), fast_disk, 100)


@pytest.mark.parametrize("through", [False, True])
def test_bucket_with_faults(gcs: GcsServer, fast_disk: Path, through: bool) -> None:
    gcs.faults.rate = 0.2
    gcs.faults.stall_s = 0.01
    numbers = itertools.count()

    def reopener(place: Path) -> Callable[[], Store]:
        number = next(numbers)
        name = f"bucket-{number}"
        gcs.bucket(name)
        gcs.faults.repeat(number)

        def opened() -> Store:
            store = BucketStore(f"gs://{name}/x", RetryPolicy(wait_s=0.01))
            return ReadThroughStore(store, place / "cache", 8000) if through else store

        return opened

    # A bit that flips in a range of a value is its reader's to find, by the digest of the whole.
    gcs.faults.exempt.add(("download", "corrupted"))
    run(reopener, fast_disk, 10)
    assert gcs.faults.hit.total() > 20
    assert gcs.faults.hit["upload", "lost"] > 0


@pytest.mark.slow
def test_s3_with_faults(s3: S3Proxy, fast_disk: Path) -> None:
    s3.faults.rate = 0.1
    s3.faults.stall_s = 0.01
    numbers = itertools.count()
    start = secrets.token_hex(8)

    def reopener(_: Path) -> Callable[[], Store]:
        uri = f"s3://{BUCKET}/{start}/{next(numbers)}"
        return lambda: BucketStore(uri, RetryPolicy(wait_s=0.01), memory=fast_disk / "probed")

    s3.faults.exempt.add(("download", "corrupted"))
    run(reopener, fast_disk, 5)
    assert s3.faults.hit.total() > 20
