"""Stores of both kinds, for what is written into them and read from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.stores.bucket import BucketStore
from pipelines.stores.directory import DirectoryStore
from pipelines.stores.store import Store


@pytest.fixture(params=["directory", "bucket"])
def either_store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Store:
    """An empty store in a folder, then one in a bucket."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    if request.param == "directory":
        return DirectoryStore(tmp_path / "store")
    request.getfixturevalue("gcs").bucket("stores")
    return BucketStore("gs://stores/x")
