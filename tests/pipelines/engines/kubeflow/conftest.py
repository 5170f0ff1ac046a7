"""Runs on the cluster of the tests are looked at often, and configurations launched on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.engines.kubeflow.watching import watcher
from tests.pipelines.engines.kubeflow.launches import Launching
from tests.servers.kfp.cluster import Cluster


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "POLL_MAX_S", 0.01)
    monkeypatch.setattr(watcher, "POLL_S", 0.01)


@pytest.fixture
def launching(cluster: Cluster, tmp_path: Path) -> Launching:
    return Launching(cluster, tmp_path)
