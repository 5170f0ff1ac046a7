"""A pipeline root in the store that Kubeflow installs: run, sync and schedule work as with gs://."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.cli.main import main
from pipelines.compress import graph_of
from pipelines.config.loading import load
from pipelines.engines.engine import Cluster as Place
from pipelines.launch.launching import launch
from pipelines.retention.reaching import clear_folder
from pipelines.runs.live.events import Event
from pipelines.runs.records import read_run
from pipelines.sources.snapshot import snapshot
from pipelines.stores.opening import open_store
from tests.servers.kfp import cluster as kfp_cluster
from tests.servers.kfp.cluster import Cluster, LocalRun
from tests.servers.kfp.server import KfpServer
from tests.servers.s3.proxy import S3Proxy
from tests.servers.s3.seaweedfs import BUCKET, SeaweedFs

TINY = Path(__file__).parents[3] / "data" / "tiny.yaml"


def key_of(uri: str) -> str:
    return uri.partition("://")[2].partition("/")[2]


def put(server: SeaweedFs, uri: str, data: bytes) -> None:
    server.client().put_object(Bucket=BUCKET, Key=key_of(uri), Body=data)


def names(server: SeaweedFs, prefix: str) -> list[str]:
    pages = (
        server.client()
        .get_paginator("list_objects_v2")
        .paginate(Bucket=BUCKET, Prefix=key_of(prefix))
    )
    scheme = prefix.partition("://")[0]
    return [f"{scheme}://{BUCKET}/{one['Key']}" for page in pages for one in page["Contents"]]


@pytest.fixture(params=["minio", pytest.param("s3", marks=pytest.mark.slow)])
def root(
    request: pytest.FixtureRequest,
    s3: S3Proxy,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> str:
    """The root of a cluster whose artifacts lie at a service that holds no conditions."""
    s3.conditions = "ignored"
    root = f"{request.param}://{BUCKET}/{secrets.token_hex(8)}"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("KF_PIPELINES_SA_TOKEN_PATH", raising=False)
    monkeypatch.setattr(kfp_cluster, "ROOT", root)
    monkeypatch.setattr(kfp_cluster, "DATA", f"{root}/uploads/digits.csv.gz")
    monkeypatch.setattr(kfp_cluster, "put", put)
    return root


@pytest.fixture
def config(root: str, tmp_path: Path) -> Path:
    return kfp_cluster.configured(TINY, tmp_path / "tiny.yaml")


@pytest.fixture
def on_s3(kfp: KfpServer, seaweedfs: SeaweedFs, tiny_run: LocalRun, config: Path) -> Cluster:
    server: Any = seaweedfs
    kfp_cluster.put_data(server)
    return Cluster(kfp, server, tiny_run, graph_of(load(config)))


def complete(cluster: Cluster) -> None:
    """Carry a run out to its end as soon as somebody asks how it is."""

    def after(operation: str) -> None:
        if operation == "get_run":
            for run in list(cluster.kfp.backend.runs):
                cluster.complete(run)

    cluster.kfp.after = after


def outputs(store: str, run: str) -> dict[str, Any]:
    return {name: step["outputs"] for name, step in read_run(open_store(store), run).steps.items()}


def test_a_run_ends_as_if_it_had_been_local_and_is_brought_home(
    on_s3: Cluster, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    complete(on_s3)
    events: list[Event] = []
    launched = launch(
        load(config),
        engine="kubeflow",
        store=str(tmp_path / "store"),
        output=tmp_path / "out",
        cluster=Place(host=on_s3.kfp.url),
        on_event=events.append,
    )
    assert launched.outcome == "done"
    local = outputs(str(on_s3.local.store), on_s3.local.run)
    assert outputs(str(tmp_path / "store"), launched.run) == local
    (run,) = on_s3.kfp.backend.runs.values()
    assert run["runtime_config"]["pipeline_root"] == kfp_cluster.ROOT
    staged = names(on_s3.gcs, f"{kfp_cluster.ROOT}/sources/")  # type: ignore[arg-type]
    assert [uri.rpartition("/")[2] for uri in staged] == ["digits.csv.gz", "source.json"]
    # Another store that watched nothing gets the same.
    words = ["sync", "--engine", "kubeflow", "--host", on_s3.kfp.url]
    assert main([*words, "--store", str(tmp_path / "other")]) == 0
    assert capsys.readouterr().out == "1 of 1 runs imported\n"
    assert outputs(str(tmp_path / "other"), launched.run) == local


def test_a_schedule_leaves_its_sources_in_the_root(
    on_s3: Cluster, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "schedule",
        "add",
        str(config),
        "--native",
        "--cron",
        "0 3 * * *",
        "--engine",
        "kubeflow",
    ]
    assert main([*words, "--host", on_s3.kfp.url, "--json"]) == 0
    (made,) = json.loads(capsys.readouterr().out)["schedules"]
    (row,) = on_s3.kfp.backend.recurring.values()
    assert row["display_name"] == made["name"] == "tiny"
    assert row["runtime_config"]["pipeline_root"] == kfp_cluster.ROOT
    digest = snapshot(load(config).data).digest
    places = names(on_s3.gcs, f"{kfp_cluster.ROOT}/sources/")  # type: ignore[arg-type]
    assert f"{kfp_cluster.ROOT}/sources/{digest}/source.json" in places
    assert [uri for uri in names(on_s3.gcs, kfp_cluster.ROOT) if made["version"] in uri]  # type: ignore[arg-type]


def test_data_of_this_machine_is_uploaded_by_the_command_that_is_shown(
    config: Path, root: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = yaml.safe_load(config.read_text())
    (tmp_path / "faces.csv.gz").write_bytes(b"")
    config.write_text(yaml.safe_dump({**plain, "data": str(tmp_path / "faces.csv.gz")}))
    assert main(["compile", str(config), "-o", str(tmp_path / "p.yaml")]) == 2
    said = capsys.readouterr().err
    place = f"{root.partition('://')[2]}/uploads/faces.csv.gz"
    assert f"aws s3 cp {tmp_path / 'faces.csv.gz'} s3://{place}" in said
    assert f"then write data: {root.partition(':')[0]}://{place}" in said


def test_an_erasure_clears_folders_of_a_root(root: str, seaweedfs: SeaweedFs) -> None:
    for name in ("a/images.npy", "a/deep/page.html", "a/weights", "ab/images.npy"):
        put(seaweedfs, f"{root}/{name}", b"x")
    assert clear_folder(f"{root}/a", arrays_and_pages=True) == 2
    assert clear_folder(f"{root}/a") == 1
    assert names(seaweedfs, root) == [f"{root}/ab/images.npy"]
