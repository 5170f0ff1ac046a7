"""What real servers of four versions answered, given to the client: what it calls the run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import pipelines.engines.kubeflow.watching as watching
from pipelines.cli.main import main
from pipelines.runs.records import RunRecord, list_runs
from pipelines.stores.opening import open_store
from tests.servers.gcs.server import GcsServer
from tests.servers.kfp import cluster as kfp_cluster
from tests.servers.kfp import recordings
from tests.servers.kfp.replay import ReplayServer

DATA = "gs://bucket/data/digits.csv.gz"


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "POLL_MAX_S", 0.01)
    monkeypatch.setattr(watching, "POLL_S", 0.01)


@dataclass
class Told:
    """What the command said of a recorded run, and what it wrote down.

    Attributes:
        code: Its exit code.
        text: All that it printed.
        record: Of the run; None where none began.
        server: What it talked to.
    """

    code: int
    text: str
    record: RunRecord | None
    server: ReplayServer

    @property
    def failed(self) -> dict[str, str]:
        """What is said of each step that failed, with its fix."""
        steps = self.record.steps if self.record else {}
        return {
            name: f"{step.get('what')} {step.get('fix')}"
            for name, step in steps.items()
            if step.get("outcome") == "failed"
        }


@pytest.fixture
def told(gcs: GcsServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[object]:
    """Run the recorded configuration against the recorded answers."""
    servers: list[ReplayServer] = []

    def run(version: str, case: str) -> Told:
        configs = recordings.needed() / "configs"
        name = {"toolarge": "wide30"}.get(case, case)
        config = tmp_path / f"{name}.yaml"
        shutil.copyfile(configs / config.name, config)
        kfp_cluster.put_data(gcs)
        digits = kfp_cluster.read(gcs, kfp_cluster.DATA)
        kfp_cluster.put(gcs, DATA, digits)
        server = ReplayServer(version, case)
        servers.append(server)
        server.__enter__()
        for key, text in (
            recordings.document(version, "bucket").get(case, {}).get("executor_logs", {}).items()
        ):
            kfp_cluster.put(gcs, f"gs://bucket/{key}", text.encode())
        store = tmp_path / "store"
        words = ["run", str(config), "--data", DATA, "--engine", "kubeflow", "--host", server.url]
        code = main([*words, "--store", str(store), "--output", str(tmp_path / "out")])
        captured = capsys.readouterr()
        runs = list_runs(open_store(str(store)))
        record = runs[0] if runs else None
        return Told(code, captured.out + captured.err, record, server)

    yield run
    for server in servers:
        server.__exit__()
