"""Vertex AI to run on: its API, storage, and a local run's real artifacts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from google.oauth2 import service_account

from pipelines.compress import graph_of
from pipelines.config.loading import load
from pipelines.engines.vertex import engine
from tests.servers.gcs.server import GcsServer
from tests.servers.kfp import cluster as kfp_cluster
from tests.servers.kfp.cluster import LocalRun
from tests.servers.kfp.server import KfpServer
from tests.servers.vertex.cluster import VertexCluster
from tests.servers.vertex.server import LOCATION, PROJECT, VertexServer

TINY = Path(__file__).parents[3] / "data" / "tiny.yaml"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VertexServer]:
    with VertexServer() as server:
        key = server.credentials(tmp_path / "key.json")
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
        # google-auth would ask Google in the background from where the account may be used.
        monkeypatch.setattr(
            service_account.Credentials,
            "_is_regional_access_boundary_lookup_required",
            lambda _self: False,
        )
        yield server


@pytest.fixture
def config_path(tmp_path: Path) -> Path:
    path = kfp_cluster.configured(TINY, tmp_path / "tiny.yaml")
    plain = yaml.safe_load(path.read_text())
    plain["kubeflow"]["vertex"] = {
        "project": PROJECT,
        "location": LOCATION,
        "service_account": f"runner@{PROJECT}.iam.gserviceaccount.com",
    }
    path.write_text(yaml.safe_dump(plain, sort_keys=False))
    return path


@pytest.fixture
def vertex(
    server: VertexServer, gcs: GcsServer, kfp: KfpServer, tiny_run: LocalRun, config_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> VertexCluster:  # fmt: skip
    monkeypatch.setattr(engine, "POLL_S", 0.01)
    monkeypatch.setattr(engine, "POLL_MAX_S", 0.01)
    kfp_cluster.put_data(gcs)
    return VertexCluster(kfp, gcs, tiny_run, graph_of(load(config_path)), vertex=server)
