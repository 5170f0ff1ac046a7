"""Two values that are damaged and have the same bytes."""

import pytest

from pipelines.lineage.index.opening import open_index
from pipelines.stores.opening import open_store
from tests.data.traced_runs import RunWriter


@pytest.mark.timeout(60)
def test_two_that_are_damaged_do_not_wake_each_other_for_ever(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    store = open_store(str(tmp_path / "store"))
    run = RunWriter(store, "faces-1")
    run.step("select", {}, {"decision": {"decision.json": b"{}"}})
    run.step("publish", {}, {"release": {"manifest.json": b"{}", "model.tflite": b""}})
    run.end()
    with open_index(store) as index:
        states = [row[0] for row in index.execute("SELECT state FROM decision")]
        assert states == ["damaged"]
