"""Stores for pages, whose indexes lie in folders of the tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.stores.directory import DirectoryStore


@pytest.fixture(autouse=True)
def home(fast_disk: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of who runs the service: indexes and scratch folders lie below it."""
    monkeypatch.setenv("HOME", str(fast_disk / "home"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(fast_disk))
    return fast_disk / "home"


@pytest.fixture
def store(fast_disk: Path) -> DirectoryStore:
    """An empty store."""
    return DirectoryStore(fast_disk / "store")
