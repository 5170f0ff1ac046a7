"""Staging: a source lies in the pipeline root once, whole, and is listed last."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from components.contract.errors import UserError
from components.contract.source import Source as Staged
from pipelines.cli.main import main
from pipelines.engines.kubeflow.bucket.pipeline_root import stage
from pipelines.sources.snapshot import snapshot
from tests.servers.gcs.server import GcsServer
from tests.servers.kfp import cluster as kfp_cluster
from tests.servers.kfp.cluster import Cluster

PLACE = "gs://kubeflow/pipelines/sources/abc"
NAMES = ("anna/1.png", "anna/ä b.png", "bea/1.png")


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    for index, name in enumerate(NAMES):
        path = tmp_path / "faces" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes([index]) * 100)
    return tmp_path / "faces"


def downloaded(gcs: GcsServer, folder: Path) -> Path:
    """Fetch what lies there, as a pod's launcher would."""
    for uri in kfp_cluster.names(gcs, PLACE):
        path = folder / uri.removeprefix(f"{PLACE}/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(kfp_cluster.read(gcs, uri))
    return folder


def test_what_a_pod_finds_is_the_source(gcs: GcsServer, faces: Path, tmp_path: Path) -> None:
    gcs.bucket("kubeflow")
    source = snapshot(str(faces))
    stage(source, PLACE, tmp_path)
    found = Staged.open(downloaded(gcs, tmp_path / "pod"))
    assert found.digest == source.digest
    for name in NAMES:
        assert (tmp_path / "pod/files" / name).read_bytes() == (faces / name).read_bytes()


def test_it_is_laid_once(gcs: GcsServer, faces: Path, tmp_path: Path) -> None:
    gcs.bucket("kubeflow")
    source = snapshot(str(faces))
    stage(source, PLACE, tmp_path)
    uploads = gcs.requests["upload"]
    assert uploads == len(NAMES) + 1
    stage(source, PLACE, tmp_path)
    assert gcs.requests["upload"] == uploads


def test_what_a_kill_left_is_gone_on_with(gcs: GcsServer, faces: Path, tmp_path: Path) -> None:
    gcs.bucket("kubeflow")
    source = snapshot(str(faces))
    stage(source, PLACE, tmp_path)
    for name in (f"{PLACE}/source.json", f"{PLACE}/files/bea/1.png"):
        kfp_cluster.remove(gcs, name)
    stage(source, PLACE, tmp_path)
    assert Staged.open(downloaded(gcs, tmp_path / "pod")).digest == source.digest


def test_what_cannot_be_read_is_listed_and_the_rest_is_laid(
    gcs: GcsServer, faces: Path, tmp_path: Path
) -> None:
    gcs.bucket("kubeflow")
    (faces / "anna/gone.png").symlink_to("nowhere.png")
    (faces / "again").symlink_to("anna")
    source = snapshot(str(faces))
    stage(source, PLACE, tmp_path)
    found = Staged.open(downloaded(gcs, tmp_path / "pod"))
    assert found.digest == source.digest
    assert [file.name for file in found.files if not file.readable] == ["again", "anna/gone.png"]
    files = tmp_path / "pod/files"
    laid = {str(path.relative_to(files)) for path in files.rglob("*.png")}
    assert laid == set(NAMES)


def test_a_bucket_that_is_not_there_is_said(gcs: GcsServer, faces: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no bucket 'kubeflow'"):
        stage(snapshot(str(faces)), PLACE, tmp_path)


def test_compile_lays_the_data_for_launches_by_other_means(
    cluster: Cluster, config_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["compile", str(config_path), "--target", "vertex", "-o", str(tmp_path / "v.yaml")]
    assert main([*words, "--json"]) == 0
    place = json.loads(capsys.readouterr().out)["sources"]["data"]
    assert kfp_cluster.names(cluster.gcs, place) == []
    assert main([*words, "--stage"]) == 0
    assert kfp_cluster.names(cluster.gcs, place) == [
        f"{place}/files/digits.csv.gz", f"{place}/source.json"
    ]  # fmt: skip
