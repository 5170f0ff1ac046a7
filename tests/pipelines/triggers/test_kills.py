"""Processes and services tick one watch while they are killed: one run and release a snapshot."""

import os

import pytest

from tests.pipelines.triggers.killing import kill_loop

KILLS = int(os.environ.get("SLIMLINE_TRIGGER_KILLS", "8"))
"""For each number of processes and each store; ``make faults`` asks for hundreds."""


@pytest.fixture(params=["directory", "bucket"])
def uri(request, tmp_path, monkeypatch):
    """A place for a store of each kind."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if request.param == "directory":
        return str(tmp_path / "store")
    gcs = request.getfixturevalue("gcs")
    gcs.bucket("triggers")
    return "gs://triggers/store"


@pytest.mark.parametrize("processes", [2, 5])
def test_whatever_is_killed_each_snapshot_has_one_run_that_counts(uri, tmp_path, processes):
    assert kill_loop(uri, tmp_path, processes, KILLS, seed=processes)["launches"]
