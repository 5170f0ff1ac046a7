"""What a server cannot hold is refused before anything is sent; what is not known of it is said."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from components.contract.errors import UserError
from pipelines.cli.main import main
from pipelines.compress import graph_of
from pipelines.engines.kubeflow.api.connection import Connection
from pipelines.engines.kubeflow.ir.preflight import check
from pipelines.engines.kubeflow.ir.servers import ServerVersion
from pipelines.engines.kubeflow.launching.fitting import compiled_for, version_of
from tests.pipelines.engines.kubeflow.graphs import REFERENCES, config_of
from tests.servers.gcs.server import GcsServer
from tests.servers.kfp import cluster as kfp_cluster
from tests.servers.kfp.server import KfpServer

STUDENT = {"backbone": "conv", "epochs": 1}


def wide(count: int) -> dict[str, Any]:
    return {
        f"v{index}": [{"distill": STUDENT | {"alpha": 0.25 + index / 100}}]
        for index in range(count)
    }


@pytest.fixture
def bucket(gcs: GcsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GcsServer:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    kfp_cluster.put_data(gcs)
    return gcs


def answers(tag: str) -> Any:
    return SimpleNamespace(host="http://kfp", tag=tag)


@pytest.mark.parametrize(
    ("tag", "version", "said"),
    [
        ("2.17.0", ServerVersion(2, 17), None),
        ("2.18.1", ServerVersion(2, 18, 1), None),
        ("3.0.0", ServerVersion(3, 0), "no ML Metadata"),
        ("2.20.0", ServerVersion(2, 20), "newer than 2.18"),
        ("", None, "it does not say it"),
        ("nightly", None, "it says 'nightly'"),
    ],
)
def test_versions_that_are_not_known_get_a_warning_and_go_on(tag, version, said):
    if said is None:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            assert version_of(answers(tag)) == version
        return
    with pytest.warns(UserWarning, match=re.escape(said)):
        assert version_of(answers(tag)) == version


def test_a_server_is_asked_for_its_version(bucket: GcsServer) -> None:
    del bucket
    with KfpServer(version="2.14.0") as server:
        assert version_of(Connection(server.url)) == ServerVersion(2, 14)


def test_keys_are_written_for_servers_that_read_them(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    reachable = check(config, graph_of(config))

    def text(version: ServerVersion | None) -> str:
        return compiled_for(version, reachable, {"data": "1" * 64}, REFERENCES).text

    assert "cacheKey" not in text(ServerVersion(2, 17))
    assert "cacheKey" in text(ServerVersion(2, 18))
    assert "cacheKey" in text(None), "whoever reads it"


def test_a_graph_that_is_too_large_leaves_nothing_behind(
    bucket: GcsServer, config_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del bucket
    plain = yaml.safe_load(config_path.read_text())
    with KfpServer(version="2.5.0") as server:
        place = ["--engine", "kubeflow", "--host", server.url]
        config_path.write_text(yaml.safe_dump({**plain, "variants": wide(40)}))
        words = ["schedule", "add", str(config_path), "--native", "--cron", "0 3 * * *", *place]
        assert main(words) == 2
        said = capsys.readouterr().err
        assert "too large for Kubeflow Pipelines 2.5.0" in said
        fits = re.search(r"about (\d+) steps of this kind fit, and there are (\d+)", said)
        assert fits
        assert not server.backend.pipelines
        assert not server.backend.recurring
        count = 40 * int(fits[1]) // int(fits[2])
        config_path.write_text(yaml.safe_dump({**plain, "variants": wide(count)}))
        assert main(words) == 0
        assert server.backend.recurring


def test_names_that_argo_refuses_leave_nothing_behind(
    bucket: GcsServer, config_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`x` and `x-driver` made the server answer 500, which was asked again for a minute."""
    del bucket
    plain = yaml.safe_load(config_path.read_text())
    variants = {"x": [{"distill": STUDENT}], "x-driver": [{"distill": STUDENT | {"alpha": 0.3}}]}
    with KfpServer() as server:
        place = ["--engine", "kubeflow", "--host", server.url]
        words = ["schedule", "add", str(config_path), "--native", "--cron", "0 3 * * *", *place]
        config_path.write_text(yaml.safe_dump({**plain, "variants": variants}))
        assert main(words) == 2
        assert "cannot be in one run on Kubeflow" in capsys.readouterr().err
        assert not server.backend.pipelines
        variants["x-driven"] = variants.pop("x-driver")
        config_path.write_text(yaml.safe_dump({**plain, "variants": variants}))
        assert main(words) == 0


def test_what_a_step_is_told_is_refused_by_what_it_takes(tmp_path: Path) -> None:
    config = config_of(tmp_path, variants=wide(80))
    reachable = check(config, graph_of(config))
    with pytest.raises(UserError, match="too large for Kubeflow Pipelines"):
        compiled_for(ServerVersion(2, 17), reachable, {"data": "1" * 64}, REFERENCES)
