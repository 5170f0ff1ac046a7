"""Launching: what becomes of a run that breaks. Whole runs: ``engines/test_contract.py``."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.contract.errors import UserError
from pipelines.config.loading import load
from pipelines.launch.launching import launch
from pipelines.runs.records import read_run
from pipelines.stores.opening import open_store
from tests.servers.gcs.server import GcsServer

TINY = Path(__file__).parents[2] / "data" / "tiny.yaml"


def test_what_breaks_a_run_is_recorded(
    gcs: GcsServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    bucket = gcs.bucket("stores")

    def refuse_for_a_while(operation: str) -> None:
        if operation == "upload" and gcs.requests["upload"] == 4:
            bucket.read_only = True
        # The store is opened again, to say how it ended. The client library asks for the bucket, too,
        # but in a thread of its own, whenever that comes to run.
        elif operation == "list":
            bucket.read_only = False

    gcs.before = refuse_for_a_while
    with pytest.raises(UserError, match="access is forbidden"):
        launch(load(TINY), store="gs://stores/x", output=tmp_path / "out", on_event=lambda _: None)
    store = open_store("gs://stores/x")
    record = read_run(store, None)
    assert (record.outcome, record.steps) == ("broken", {})
    assert record.fault
    assert "storage.objects.create" in record.fault
    assert record.finished
    assert not list(store.list("ac/"))
    assert not (tmp_path / "out").exists()
