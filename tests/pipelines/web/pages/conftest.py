"""Stores that pages show: runs in every state, and runs whose decisions are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.runs.cache import Cache
from pipelines.stores.directory import DirectoryStore
from tests.data.kept_release import Writer, write_data
from tests.data.page_runs import PageRuns


@pytest.fixture
def made(store: DirectoryStore) -> PageRuns:
    """Writes runs of the example's graph into the store."""
    return PageRuns(store)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The user's files."""
    return write_data(tmp_path / "photos")


@pytest.fixture
def writer(store: DirectoryStore, fast_disk: Path) -> Writer:
    """Writes runs into the store."""
    return Writer(Cache(store, fast_disk / "scratch"), fast_disk / "written")
