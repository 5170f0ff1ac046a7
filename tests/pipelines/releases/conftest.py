"""A cache on an empty store, on a disk and in a bucket."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.runs.cache import Cache
from pipelines.stores.directory import DirectoryStore


@pytest.fixture(params=["directory", "bucket"])
def cache(
    request: pytest.FixtureRequest, fast_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> Cache:
    monkeypatch.setenv("HOME", str(fast_disk / "home"))
    if request.param == "directory":
        return Cache(DirectoryStore(fast_disk / "store"), fast_disk / "scratch")
    from pipelines.stores.bucket import BucketStore

    request.getfixturevalue("gcs").bucket("stores")
    return Cache(BucketStore("gs://stores/x"), fast_disk / "scratch")
