"""A service that lets two writers through keeps no store; a pipeline root may lie there."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.contract.errors import UserError
from pipelines.stores.bucket import BucketStore
from pipelines.stores.opening import open_store
from pipelines.stores.retrying import RetryPolicy
from tests.servers.s3.proxy import Conditions, S3Proxy
from tests.servers.s3.seaweedfs import BUCKET, SeaweedFs

POLICY = RetryPolicy(deadline_s=10.0, read_s=3.0, wait_s=0.02)


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that has probed nothing yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "slimline" / "probed"


@pytest.mark.parametrize(
    ("conditions", "what"),
    [
        ("ignored", "lets two writers create the same object"),
        ("unknown", "does not know what is asked of it"),
        ("looked at first", "lets two writers create the same object"),
        ("looked at first by swaps", "lets two writers replace the same version"),
        ("ignored by delete", "removes an object that has another version"),
    ],
)
def test_it_is_refused_before_anything_is_written(
    s3: S3Proxy, s3_uri: str, memory: Path, conditions: Conditions, what: str
) -> None:
    s3.conditions = conditions
    store = open_store(s3_uri)
    with pytest.raises(UserError, match=what) as caught:
        store.put_if_absent("a", b"1")
    assert s3_uri in caught.value.what
    assert s3.url in caught.value.what
    assert "SeaweedFS 4.48" in caught.value.fix
    assert list(store.list("")) == []
    assert list(store.foreign()) == [], "the probe leaves nothing"
    assert not memory.exists()
    # The fix: a service that holds them.
    s3.conditions = "held"
    assert open_store(s3_uri).put_if_absent("a", b"1")


def test_it_is_probed_once_by_a_machine(s3: S3Proxy, s3_uri: str, memory: Path) -> None:
    assert open_store(s3_uri).put_if_absent("a", b"1")
    assert len(list(memory.iterdir())) == 1
    assert list(open_store(s3_uri).foreign()) == []
    before = s3.requests.copy()
    assert open_store(s3_uri).put_if_absent("b", b"1")
    assert s3.requests - before == {"list": 1, "upload": 1}


def test_who_reads_alone_probes_nothing(
    s3: S3Proxy, seaweedfs: SeaweedFs, s3_uri: str, memory: Path
) -> None:
    name = f"{s3_uri.removeprefix(f's3://{BUCKET}/')}/a"
    seaweedfs.client().put_object(Bucket=BUCKET, Key=name, Body=b"1")
    store = open_store(s3_uri)
    assert (store.get("a"), list(store.list(""))) == (b"1", ["a"])
    assert s3.requests["upload"] == 0


def test_another_service_at_the_same_address_is_probed_anew(
    s3: S3Proxy, s3_uri: str, memory: Path
) -> None:
    assert open_store(s3_uri).put_if_absent("a", b"1")
    s3.server_name = "Another 1.0"
    assert open_store(s3_uri).put_if_absent("b", b"1")
    assert len(list(memory.iterdir())) == 2


@pytest.mark.parametrize("conditions", ["held", "ignored", "unknown", "looked at first"])
def test_a_pipeline_root_needs_no_conditions(
    s3: S3Proxy, s3_uri: str, memory: Path, conditions: Conditions
) -> None:
    s3.conditions = conditions
    root = BucketStore(s3_uri, POLICY, root=True)
    assert root.put_if_absent("plans/a.json", b"1")
    assert root.get("plans/a.json") == b"1"
    first = root.stat("plans/a.json")
    assert first
    assert root.replace_if_match("plans/a.json", b"2", first.version)
    assert not root.replace_if_match("plans/a.json", b"3", first.version), "compared before"
    assert not root.delete_if_match("plans/a.json", first.version)
    second = root.stat("plans/a.json")
    assert second
    assert root.delete_if_match("plans/a.json", second.version)
    assert list(root.list("")) == []
    assert not memory.exists(), "nothing is probed"
