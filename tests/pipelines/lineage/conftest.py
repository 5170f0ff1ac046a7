"""A release in a store of each kind, whose whole lineage is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.runs.cache import Cache
from pipelines.stores.bucket import BucketStore
from pipelines.stores.directory import DirectoryStore
from pipelines.stores.store import Store
from tests.data.kept_release import Kept, Writer, write_data


@pytest.fixture(params=["directory", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """An empty store, in a folder and in a bucket."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    # Steps that run again wait for no other measurement on this machine: nothing is timed here.
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    if request.param == "directory":
        return DirectoryStore(tmp_path / "store")
    request.getfixturevalue("gcs").bucket("stores")
    return BucketStore("gs://stores/x")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The user's files."""
    return write_data(tmp_path / "photos")


@pytest.fixture
def writer(store: Store, tmp_path: Path) -> Writer:
    """Writes further runs into the store."""
    return Writer(Cache(store, tmp_path / "scratch"), tmp_path / "written")


@pytest.fixture
def kept(writer: Writer, data: Path) -> Kept:
    """A run with a release."""
    return writer.run("digits-1", data)
