"""Worlds over both kinds of store."""

import pytest

from pipelines.stores.opening import open_store
from tests.pipelines.triggers.worlds import World


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    return World(open_store(str(tmp_path / "store")), tmp_path)
