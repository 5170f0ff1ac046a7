"""Stores to test: each is empty and nobody else's."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.stores import gcs_objects, s3_objects
from pipelines.stores.directory import DirectoryStore
from pipelines.stores.store import Store
from tests.pipelines.stores.transfers import PART_BYTES
from tests.servers.gcs.server import GcsServer
from tests.servers.s3.proxy import S3Proxy
from tests.servers.s3.seaweedfs import BUCKET

KINDS = ("directory", "bucket", "through", "s3")


@pytest.fixture
def bucket_uri(gcs: GcsServer) -> str:
    """A place in an empty bucket of that service."""
    name = f"bucket-{secrets.token_hex(4)}"
    gcs.bucket(name)
    return f"gs://{name}/some/place"


@pytest.fixture
def s3_uri(s3: S3Proxy) -> str:
    """A place in a bucket of that service where nothing lies yet."""
    return f"s3://{BUCKET}/{secrets.token_hex(8)}/place"


@pytest.fixture
def short_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of a transfer are short, so that a value of several is not that large."""
    for module in (gcs_objects, s3_objects):
        monkeypatch.setattr(module, "CHUNK_BYTES", PART_BYTES)
        monkeypatch.setattr(module, "_LARGE_BYTES", PART_BYTES // 2)
    # What is longer the client of Cloud Storage sends in parts.
    monkeypatch.setattr("google.cloud.storage.blob._MAX_MULTIPART_SIZE", PART_BYTES)


@pytest.fixture
def open_kind(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[str], Store]:
    """Opens one of ``KINDS``; each time the same place."""

    def opened(kind: str) -> Store:
        if kind == "directory":
            return DirectoryStore(tmp_path / "store")
        from pipelines.stores.bucket import BucketStore
        from pipelines.stores.read_through import ReadThroughStore
        from pipelines.stores.retrying import RetryPolicy

        policy = RetryPolicy(deadline_s=20.0, read_s=5.0, wait_s=0.02)
        if kind == "s3":
            return BucketStore(request.getfixturevalue("s3_uri"), policy)
        bucket = BucketStore(request.getfixturevalue("bucket_uri"), policy)
        if kind == "bucket":
            return bucket
        return ReadThroughStore(bucket, tmp_path / "cache")

    return opened


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, open_kind: Callable[[str], Store]) -> Store:
    """A store of every kind in turn."""
    return open_kind(request.param)
