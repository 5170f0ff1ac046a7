"""An application over a store with runs in every state."""

from __future__ import annotations

import pytest

from pipelines.stores.directory import DirectoryStore
from tests.data.page_runs import PageRuns


@pytest.fixture
def made(store: DirectoryStore) -> PageRuns:
    """Writes runs of the example's graph into the store."""
    return PageRuns(store)
