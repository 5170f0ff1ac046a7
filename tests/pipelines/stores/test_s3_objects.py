"""A store at an S3 service: what the network and the service do to it."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from components.contract.errors import UserError
from pipelines.stores.bucket import BucketStore
from pipelines.stores.objects import DamagedTransfer
from pipelines.stores.retrying import RetryPolicy
from pipelines.stores.store import KeyMissing
from tests.pipelines.stores.transfers import LARGE, SMALL, WORK
from tests.servers.gcs.faults import FaultKind, Operation
from tests.servers.s3.proxy import S3Proxy
from tests.servers.s3.seaweedfs import BUCKET, SeaweedFs

pytestmark = pytest.mark.usefixtures("short_parts")
POLICY = RetryPolicy(deadline_s=10.0, read_s=3.0, wait_s=0.02)
SHORT = RetryPolicy(deadline_s=0.2, read_s=0.1, wait_s=0.02)


@pytest.fixture
def store(s3: S3Proxy, s3_uri: str) -> BucketStore:
    """A store that is probed, so that the next request is what a test asks for."""
    store = BucketStore(s3_uri, POLICY)
    store.put_if_absent("first", b"")
    s3.faults.stall_s = 0.2
    return store


def name_of(store: BucketStore, key: str) -> str:
    return f"{store.uri.removeprefix(f's3://{BUCKET}/')}/{key}"


def raw(server: SeaweedFs, store: BucketStore, key: str) -> bytes:
    """Return what lies in the bucket, whole."""
    return server.client().get_object(Bucket=BUCKET, Key=name_of(store, key))["Body"].read()


def test_replaced_while_it_is_read(
    s3: S3Proxy, seaweedfs: SeaweedFs, store: BucketStore, tmp_path: Path
) -> None:
    store.put_if_absent("there", LARGE)
    newer = os.urandom(len(LARGE))

    def swap(operation: Operation) -> None:
        if operation == "download" and s3.requests["download"] == before + 2:  # after the first
            s3.before = lambda _: None
            seaweedfs.client().put_object(Bucket=BUCKET, Key=name_of(store, "there"), Body=newer)

    before = s3.requests["download"]
    s3.before = swap
    assert store.fetch("there", tmp_path / "file") == hashlib.sha256(newer).hexdigest()


@pytest.mark.parametrize(
    ("fault", "what", "fix"),
    [
        ("429", "asked too often", "wait and run again"),
        ("503", "could not be reached", "run again"),
        ("reset", "could not be reached", "check the network"),
        ("stall", "could not be reached", "check the network"),
    ],
)
def test_a_fault_that_stays_is_said(
    s3: S3Proxy, s3_uri: str, tmp_path: Path, fault: FaultKind, what: str, fix: str
) -> None:
    store = BucketStore(s3_uri, POLICY)
    store.put_if_absent("there", SMALL)
    store = BucketStore(s3_uri, SHORT)
    s3.faults.stall_s = 0.5
    for operation in WORK:
        s3.faults.always(operation, fault)
    for call in (
        lambda: store.put_if_absent("new", SMALL),
        lambda: store.replace_if_match("there", SMALL, "1"),
        lambda: store.get("there"),
        lambda: store.fetch("there", tmp_path / "file"),
        lambda: list(store.list("")),
        lambda: BucketStore(s3_uri, SHORT),
    ):
        with pytest.raises(UserError, match=what) as caught:
            call()
        assert s3_uri in caught.value.what
        assert fix in caught.value.fix
    with pytest.raises(UserError, match="could not be reached"):  # a HEAD has no body to say more
        store.stat("there")
    s3.faults.clear()
    assert list(store.list("")) == ["there"]
    assert list(tmp_path.iterdir()) == []


def test_a_value_that_comes_again_is_another_version(
    seaweedfs: SeaweedFs, store: BucketStore
) -> None:
    """The entity tag is the MD5 of the bytes: without a seal both would be one version."""
    store.put_if_absent("ac/a.json", b'{"a": 1}')
    first = store.stat("ac/a.json")
    assert first
    assert store.replace_if_match("ac/a.json", b'{"a": 1}', first.version)
    assert not store.delete_if_match("ac/a.json", first.version)
    assert store.get("ac/a.json") == b'{"a": 1}'
    again = store.stat("ac/a.json")
    assert again
    assert (again.version != first.version, again.size_bytes) == (True, 8)
    in_bucket = raw(seaweedfs, store, "ac/a.json")
    assert in_bucket.rstrip() == b'{"a": 1}'
    assert json.loads(in_bucket) == {"a": 1}, "other readers of JSON do not see the seal"


def test_what_apps_read_has_no_seal(
    seaweedfs: SeaweedFs, store: BucketStore, tmp_path: Path
) -> None:
    key = f"public/faces/{hashlib.sha256(SMALL).hexdigest()}"
    assert store.put_if_absent(key, SMALL)
    assert raw(seaweedfs, store, key) == SMALL
    assert store.fetch(key, tmp_path / "file") == hashlib.sha256(SMALL).hexdigest()
    first = store.stat(key)
    assert first
    assert store.replace_if_match(key, SMALL, first.version)
    assert not store.replace_if_match(key, b"other", first.version)
    assert not store.delete_if_match(key, first.version)
    second = store.stat(key)
    assert second
    assert store.delete_if_match(key, second.version)


@pytest.mark.parametrize("value", [b"", b"{}\n", b" " * 64, SMALL * 20])
def test_what_was_copied_there_by_other_means_is_read_as_it_is(
    seaweedfs: SeaweedFs, store: BucketStore, tmp_path: Path, value: bytes
) -> None:
    seaweedfs.client().put_object(Bucket=BUCKET, Key=name_of(store, "copied"), Body=value)
    assert store.get("copied") == value
    assert store.fetch("copied", tmp_path / "file") == hashlib.sha256(value).hexdigest()
    found = store.stat("copied")
    assert found
    assert found.size_bytes == len(value)
    assert store.get("copied", 1) == value[1:]


def test_what_was_copied_from_such_a_store_keeps_its_seal(
    seaweedfs: SeaweedFs, store: BucketStore
) -> None:
    store.put_if_absent("given", SMALL)
    copied = raw(seaweedfs, store, "given")
    seaweedfs.client().put_object(Bucket=BUCKET, Key=name_of(store, "copied"), Body=copied)
    found = store.stat("copied")
    assert found
    assert (store.get("copied"), found.size_bytes) == (SMALL, len(SMALL))


def test_a_root_holds_bytes_as_they_are(seaweedfs: SeaweedFs, s3: S3Proxy, s3_uri: str) -> None:
    root = BucketStore(s3_uri, POLICY, root=True)
    assert root.put_if_absent("sources/a/source.json", SMALL)
    assert not root.put_if_absent("sources/a/source.json", SMALL)
    assert raw(seaweedfs, root, "sources/a/source.json") == SMALL
    assert root.get("sources/a/source.json") == SMALL
    seaweedfs.client().put_object(Bucket=BUCKET, Key=name_of(root, "of a pod"), Body=SMALL)
    assert list(root.foreign()) == ["of a pod"]


def test_a_value_that_vanishes_is_missing(
    seaweedfs: SeaweedFs, store: BucketStore, tmp_path: Path
) -> None:
    store.put_if_absent("there", SMALL)
    seaweedfs.client().delete_object(Bucket=BUCKET, Key=name_of(store, "there"))
    for call in (
        lambda: store.get("there"),
        lambda: store.get("there", 2, 3),
        lambda: store.fetch("there", tmp_path / "file"),
    ):
        with pytest.raises(KeyMissing):
            call()


def test_a_damaged_object_is_told_from_a_missing_one(
    seaweedfs: SeaweedFs, store: BucketStore
) -> None:
    store.put_if_absent("there", SMALL)
    client, name = seaweedfs.client(), name_of(store, "there")
    metadata = client.head_object(Bucket=BUCKET, Key=name)["Metadata"]
    client.put_object(Bucket=BUCKET, Key=name, Body=b"other", Metadata=metadata)
    with pytest.raises(UserError, match="another sha256") as caught:
        store.get("there")
    assert isinstance(caught.value.__cause__, DamagedTransfer)


def test_copies_are_made_by_the_service(s3: S3Proxy, s3_uri: str) -> None:
    root = BucketStore(s3_uri, POLICY, root=True)
    root.put_if_absent("from/a", SMALL)
    root.copy_many([("from/a", "to/a"), ("from/a", "to/a")])
    assert root.get("to/a") == SMALL
    with pytest.raises(KeyMissing):
        root.copy_many([("from/none", "to/none")])
