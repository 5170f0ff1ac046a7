"""The store in a bucket: what the network and the service do to it."""

from __future__ import annotations

import hashlib
import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from components.contract.errors import UserError
from pipelines.stores.bucket import BucketStore
from pipelines.stores.connection import connect
from pipelines.stores.opening import open_store
from pipelines.stores.retrying import RetryPolicy
from pipelines.stores.store import KeyMissing
from tests.pipelines.stores.interrupted import check_everywhere
from tests.pipelines.stores.transfers import LARGE, SMALL, WORK
from tests.servers.gcs.faults import FaultKind, Operation
from tests.servers.gcs.server import GcsServer

pytestmark = pytest.mark.usefixtures("short_parts")
POLICY = RetryPolicy(deadline_s=10.0, read_s=3.0, wait_s=0.02)
SHORT = RetryPolicy(deadline_s=0.5, read_s=0.2, wait_s=0.02)


@pytest.fixture
def store(gcs: GcsServer, bucket_uri: str) -> BucketStore:
    gcs.faults.stall_s = 0.3
    return BucketStore(bucket_uri, POLICY)


def test_a_broken_read_continues_where_it_broke(gcs: GcsServer, store: BucketStore) -> None:
    store.put_if_absent("there", LARGE)
    gcs.sent_bytes.clear()
    gcs.faults.plan("download", "truncated")
    assert store.get("there") == LARGE
    assert gcs.sent_bytes["download"] <= len(LARGE) * 1.1


def test_replaced_while_it_is_read(gcs: GcsServer, store: BucketStore, tmp_path: Path) -> None:
    store.put_if_absent("there", LARGE)
    newer = os.urandom(len(LARGE))
    name = store.uri.removeprefix("gs://").partition("/")[2] + "/there"
    bucket = gcs.bucket(store.uri.split("/")[2])

    def swap(operation: Operation) -> None:
        if operation == "stat":  # asked for after the first part
            gcs.before = lambda _: None
            gcs.storage.write(bucket.name, name, newer, {}, {})

    gcs.before = swap
    assert store.fetch("there", tmp_path / "file") == hashlib.sha256(newer).hexdigest()


@pytest.mark.parametrize(
    ("fault", "what", "fix"),
    [
        ("429", "the quota is exceeded", "raise the quota"),
        ("503", "could not be reached", "run again"),
        ("reset", "could not be reached", "check the network"),
        ("stall", "could not be reached", "check the network"),
    ],
)
def test_a_fault_that_stays_is_said(
    gcs: GcsServer, bucket_uri: str, tmp_path: Path, fault: FaultKind, what: str, fix: str
) -> None:
    store = BucketStore(bucket_uri, SHORT)
    store.put_if_absent("there", SMALL)
    gcs.faults.stall_s = 0.5
    for operation in WORK:
        gcs.faults.always(operation, fault)
    for call in (
        lambda: store.put_if_absent("new", SMALL),
        lambda: store.put_if_absent("new", LARGE),
        lambda: store.replace_if_match("there", SMALL, "1"),
        lambda: store.get("there"),
        lambda: store.fetch("there", tmp_path / "file"),
        lambda: store.stat("there"),
        lambda: list(store.list("")),
        lambda: store.delete_if_match("there", "1"),
        lambda: BucketStore(bucket_uri, SHORT),
    ):
        with pytest.raises(UserError, match=what) as caught:
            call()
        assert bucket_uri in caught.value.what
        assert fix in caught.value.fix
    gcs.faults.clear()
    assert list(store.list("")) == ["there"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "uri",
    [
        "gs://",
        "gs:///prefix",
        "gs://ab/x",
        "gs://Bucket/x",
        "gs://bucket name/x",
        "gs://bucket/a b",
        "gs://bucket/a//b",
        "gs://bucket/../b",
        "gs://bucket?x=1",
    ],
)
def test_malformed(gcs: GcsServer, uri: str) -> None:
    with pytest.raises(UserError, match="names no place in a bucket") as caught:
        open_store(uri)
    assert "gs://my-bucket/slimline" in caught.value.fix


def test_missing_bucket(gcs: GcsServer, store: BucketStore) -> None:
    with pytest.raises(UserError, match="there is no bucket 'nowhere'") as caught:
        open_store("gs://nowhere/x")
    assert "buckets create gs://nowhere" in caught.value.fix
    del gcs.storage.buckets[store.uri.split("/")[2]]
    with pytest.raises(UserError, match="there is no bucket"):
        store.put_if_absent("a", SMALL)


def test_forbidden_bucket(gcs: GcsServer, store: BucketStore, tmp_path: Path) -> None:
    gcs.bucket(store.uri.split("/")[2]).forbidden = True
    for call in (
        lambda: open_store(store.uri),
        lambda: store.put_if_absent("a", SMALL),
        lambda: store.get("a"),
        lambda: store.stat("a"),
        lambda: store.fetch("a", tmp_path / "a"),
    ):
        with pytest.raises(UserError, match=r"forbidden: .*objects\.list access") as caught:
            call()
        assert "roles/storage.objectUser" in caught.value.fix
        assert "another project" in caught.value.fix


def test_no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(("GOOGLE_", "CLOUDSDK_", "GCLOUD_", "STORAGE_EMULATOR")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with pytest.raises(UserError, match="no Google Cloud credentials") as caught:
        open_store("gs://bucket/x")
    assert "gcloud auth application-default login" in caught.value.fix
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "missing.json"))
    with pytest.raises(UserError, match=r"_CREDENTIALS names .*missing\.json") as caught:
        open_store("gs://bucket/x")
    assert "unset GOOGLE_APPLICATION_CREDENTIALS" in caught.value.fix


def test_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
    with pytest.raises(UserError, match=f"127.0.0.1:{port} could not be reached"):
        BucketStore("gs://bucket/x", SHORT)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"localhost:{port}")
    with pytest.raises(UserError, match="expected a scheme, a host and a port"):
        BucketStore("gs://bucket/x", SHORT)


def test_proxies_of_the_environment_count(gcs: GcsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://proxy.example:3128")
    session: Any = connect("gs://bucket")._http
    assert session.proxies["http"] == "http://proxy.example:3128"
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    session = connect("gs://bucket")._http
    assert not session.proxies


def test_what_others_put_there_is_not_ours(gcs: GcsServer, store: BucketStore) -> None:
    bucket, prefix = store.uri.split("/")[2], "some/place/"
    for name in (prefix, f"{prefix}folder/", f"{prefix}a b", "some/place-b/x", "elsewhere"):
        gcs.storage.write(bucket, name, b"", {}, {})
    store.put_if_absent("ours", b"")
    assert list(store.list("")) == ["ours"]


def test_two_prefixes_of_a_bucket_are_two_stores(store: BucketStore) -> None:
    other = BucketStore(store.uri + "/below", POLICY)
    whole = BucketStore("/".join(store.uri.split("/")[:3]) + "/", POLICY)
    other.put_if_absent("a", b"1")
    with pytest.raises(KeyMissing):
        store.get("a")
    assert store.get("below/a") == b"1"
    assert list(whole.list("")) == ["some/place/below/a"]
    assert whole.uri == "/".join(store.uri.split("/")[:3])


def test_a_full_disk_where_a_value_is_fetched_to(store: BucketStore, small_disk: Path) -> None:
    store.put_if_absent("there", os.urandom(2 << 20))
    with pytest.raises(UserError, match="the disk is full") as caught:
        store.fetch("there", small_disk / "file")
    assert str(small_disk) in caught.value.what
    assert list(small_disk.iterdir()) == []


def test_killed_between_any_two_operations(
    bucket_uri: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = check_everywhere(bucket_uri, tmp_path / "work")
    with capsys.disabled():
        sys.stdout.write("\n".join(["\nstore in a bucket:", *table, ""]))
    assert len(table) == 3


def test_copies_are_made_by_the_service(gcs: GcsServer, store: BucketStore) -> None:
    for number in range(20):
        store.put_if_absent(f"from/{number}", str(number).encode() * 1000)
    before = gcs.requests["upload"]
    store.copy_many((f"from/{number}", f"to/{number}") for number in range(20))
    assert gcs.requests["upload"] == before, "no byte passed this machine"
    assert [store.get(f"to/{number}") for number in range(20)] == [
        str(number).encode() * 1000 for number in range(20)
    ]
    store.copy_many([("from/1", "to/1")])  # again, as after a kill
    with pytest.raises(KeyMissing):
        store.copy_many([("from/none", "to/none")])
