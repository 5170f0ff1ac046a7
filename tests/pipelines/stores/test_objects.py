"""Objects of a bucket: what the network does to them does not show, whichever service holds them."""

from __future__ import annotations

import hashlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from components.contract.errors import UserError
from pipelines.stores.bucket import BucketStore
from pipelines.stores.retrying import RetryPolicy
from tests.pipelines.stores.transfers import (
    LARGE,
    PART_BYTES,
    SMALL,
    WORK,
    delete,
    fetch,
    put,
    put_large,
    replace,
)
from tests.servers.gcs.faults import FAULTS, FaultKind, Operation
from tests.servers.gcs.server import GcsServer
from tests.servers.s3.proxy import S3Proxy

POLICY = RetryPolicy(deadline_s=10.0, read_s=3.0, wait_s=0.02)
Server = GcsServer | S3Proxy


@pytest.fixture(params=["gcs", "s3"])
def server(request: pytest.FixtureRequest, short_parts: None) -> Server:
    server: Server = request.getfixturevalue(request.param)
    server.faults.stall_s = 0.3
    return server


@pytest.fixture
def store(request: pytest.FixtureRequest, server: Server) -> BucketStore:
    """A store that is probed, so that the next request is what a test asks for."""
    name = "bucket_uri" if isinstance(server, GcsServer) else "s3_uri"
    store = BucketStore(request.getfixturevalue(name), POLICY)
    store.put_if_absent("first", b"")
    return store


@pytest.mark.parametrize(
    ("operation", "fault"),
    [(operation, fault) for operation in WORK for fault in FAULTS[operation]],
)
def test_a_fault_that_passes_does_not_show(
    server: Server, store: BucketStore, tmp_path: Path, operation: Operation, fault: FaultKind
) -> None:
    store.put_if_absent("there", LARGE)
    for work in WORK[operation]:
        if isinstance(server, S3Proxy) and (operation, work) == ("stat", fetch):
            continue  # S3 says size and entity tag with a download
        before = server.faults.hit[operation, fault]
        server.faults.plan(operation, fault)
        work(store, tmp_path)
        assert server.faults.hit[operation, fault] == before + 1, "the fault was not met"
        for name in ("put", "large", "replace", "delete"):
            if found := store.stat(name):
                store.delete_if_match(name, found.version)


def test_two_faults_in_a_row(server: Server, store: BucketStore, tmp_path: Path) -> None:
    server.faults.plan("upload", "lost", "503", "429", "reset")
    put(store, tmp_path)
    server.faults.plan("upload", "lost", "lost", "truncated", "corrupted")
    replace(store, tmp_path)
    server.faults.plan("delete", "lost", "reset", "503")
    delete(store, tmp_path)


def test_a_lost_reply_to_a_loser_is_no_success(server: Server, store: BucketStore) -> None:
    other = BucketStore(store.uri, POLICY)
    assert other.put_if_absent("claim", b"theirs")
    server.faults.plan("upload", "lost")
    assert not store.put_if_absent("claim", b"mine")
    server.faults.plan("upload", "503", "lost")
    assert not store.put_if_absent("claim", b"theirs"), "equal bytes are no proof"
    assert store.get("claim") == b"theirs"


def test_one_winner_among_20_when_replies_are_lost(server: Server, store: BucketStore) -> None:
    for round_ in range(5):
        server.faults.plan("upload", *(["lost"] * 10))
        barrier = threading.Barrier(20)

        def create(index: int, round_: int = round_, b: threading.Barrier = barrier) -> bool:
            b.wait()
            return store.put_if_absent(f"claim/{round_}", b"%d" % index)

        with ThreadPoolExecutor(20) as pool:
            won = [index for index, mine in enumerate(pool.map(create, range(20))) if mine]
        assert len(won) == 1
        assert store.get(f"claim/{round_}") == b"%d" % won[0]


def test_random_faults(server: Server, store: BucketStore, tmp_path: Path) -> None:
    values = {f"many/{index}": os.urandom(1 + index * 997) for index in range(150)}
    store.put_if_absent("there", LARGE)
    server.faults.stall_s = 0.1
    server.faults.rate = 0.05
    assert all(store.put_many(values.items()))
    digests = store.fetch_many((key, tmp_path / key) for key in values)
    assert list(digests) == [hashlib.sha256(value).hexdigest() for value in values.values()]
    assert list(store.list("many/")) == sorted(values)
    for work in (put, put_large, replace, delete, fetch):
        work(store, tmp_path)
    assert server.faults.hit.total() > 10


def test_a_broken_download_continues_where_it_broke(
    server: Server, store: BucketStore, tmp_path: Path
) -> None:
    store.put_if_absent("there", LARGE)
    server.sent_bytes.clear()
    server.faults.plan("download", "truncated")
    fetch(store, tmp_path)
    # The parts that arrived whole do not come again.
    assert server.sent_bytes["download"] <= len(LARGE) + PART_BYTES + 1000


def test_a_value_that_exists_is_not_sent(
    server: Server, store: BucketStore, tmp_path: Path
) -> None:
    put_large(store, tmp_path)
    server.received_bytes.clear()
    assert not store.put_if_absent("large", tmp_path / "large")
    assert server.received_bytes["upload"] < 10_000


def test_damage_that_does_not_pass(server: Server, store: BucketStore, tmp_path: Path) -> None:
    store.put_if_absent("there", SMALL)
    server.faults.always("download", "corrupted")
    server.faults.always("upload", "corrupted")
    (tmp_path / "there").mkdir()
    for call in (
        lambda: store.fetch("there", tmp_path / "there" / "file"),
        lambda: store.get("there"),
        lambda: store.put_if_absent("new", SMALL),
        lambda: store.put_if_absent("large", LARGE),
    ):
        with pytest.raises(UserError, match="damaged"):
            call()
    assert list((tmp_path / "there").iterdir()) == []
    server.faults.clear()
    assert list(store.list("")) == ["first", "there"], "what arrived damaged is not there"
