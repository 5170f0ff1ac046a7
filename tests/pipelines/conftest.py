"""A cluster to launch on: the API server, its storage, and a local run's real artifacts."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.compress import graph_of
from pipelines.config.loading import load
from tests.servers.gcs.server import GcsServer
from tests.servers.kfp import cluster as kfp_cluster
from tests.servers.kfp.cluster import Cluster, LocalRun
from tests.servers.kfp.server import KfpServer

TINY = Path(__file__).parents[1] / "data" / "tiny.yaml"


@pytest.fixture
def config_path(tmp_path: Path) -> Path:
    """The smallest configuration for the cluster; tests of retries ask for them."""
    return kfp_cluster.configured(TINY, tmp_path / "tiny.yaml", retries=0)


@pytest.fixture
def cluster(
    kfp: KfpServer,
    gcs: GcsServer,
    tiny_run: LocalRun,
    config_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Cluster:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("KF_PIPELINES_SA_TOKEN_PATH", raising=False)
    kfp_cluster.put_data(gcs)
    return Cluster(kfp, gcs, tiny_run, graph_of(load(config_path)))
