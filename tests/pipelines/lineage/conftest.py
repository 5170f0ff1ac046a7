"""A release in a store of each kind, whose whole lineage is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines.runs.cache import Cache
from pipelines.runs.releases.champions import champion_of
from pipelines.runs.releases.release_log import append, read_log
from pipelines.runs.releases.release_log_entries import ReleaseLog
from pipelines.stores.bucket import BucketStore
from pipelines.stores.directory import DirectoryStore
from pipelines.stores.store import Store
from tests.data.kept_release import NAME, Kept, Writer, write_data
from tests.data.releases import entry_of


@pytest.fixture(params=["directory", "bucket"])
def store(
    request: pytest.FixtureRequest, fast_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> Store:
    """An empty store, in a folder and in a bucket."""
    monkeypatch.setenv("HOME", str(fast_disk / "home"))
    # Steps that run again wait for no other measurement on this machine: nothing is timed here.
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(fast_disk))
    if request.param == "directory":
        return DirectoryStore(fast_disk / "store")
    request.getfixturevalue("gcs").bucket("stores")
    return BucketStore("gs://stores/x")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The user's files."""
    return write_data(tmp_path / "photos")


@pytest.fixture
def writer(store: Store, fast_disk: Path) -> Writer:
    """Writes further runs into the store."""
    return Writer(Cache(store, fast_disk / "scratch"), fast_disk / "written")


@pytest.fixture
def kept(writer: Writer, data: Path) -> Kept:
    """A run with a release."""
    return writer.run("digits-1", data)


def promote(store: Store, kept: Kept, **changes: Any) -> ReleaseLog:
    """Make a release the champion, without a gate."""
    entry = entry_of(kept.release, run=kept.run, name=NAME, **changes)
    log = append(store, read_log(store, NAME), entry)
    assert log
    champion_of(store, NAME)  # writes champion.json
    return log
