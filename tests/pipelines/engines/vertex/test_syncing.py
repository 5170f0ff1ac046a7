"""Sync from Vertex AI: what nobody watched, what schedules ran, what is damaged."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli.main import main
from pipelines.engines.vertex.jobs import PipelineJobs
from pipelines.engines.vertex.pipeline_job import PipelineJob
from pipelines.runs.records import read_run
from pipelines.stores.opening import open_store
from tests.pipelines.engines.vertex.test_engine import Launch
from tests.servers.kfp import cluster as kfp_cluster
from tests.servers.vertex.cluster import VertexCluster
from tests.servers.vertex.server import LOCATION, PROJECT

Sync = Callable[..., tuple[int, list[dict[str, Any]]]]


@pytest.fixture
def sync(vertex: VertexCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Sync:
    """Calls ``slimline sync --json`` into a store of that name: exit code and what it says."""

    def call(store: str = "synced") -> tuple[int, list[dict[str, Any]]]:
        capsys.readouterr()
        place = ["--project", PROJECT, "--location", LOCATION, "--host", vertex.vertex.url]
        words = ["sync", "--engine", "vertex", *place, "--store", str(tmp_path / store), "--json"]
        code = main(words)
        return code, json.loads(capsys.readouterr().out)["runs"]

    return call


@pytest.fixture
def launched(vertex: VertexCluster, config_path: Path, tmp_path: Path) -> str:
    """A job that ended; its identifier."""
    return Launch(vertex, config_path, tmp_path / "store")().run


def test_a_job_is_imported_once_under_its_launch(sync: Sync, launched: str, tmp_path: Path) -> None:
    assert sync()[1] == [
        {
            "run": launched,
            "kfp_run": launched,
            "state": "imported",
            "outcome": "done",
            "error": None,
        }
    ]
    assert sync()[1][0]["state"] == "here already"
    here = read_run(open_store(str(tmp_path / "synced")), launched)
    there = read_run(open_store(str(tmp_path / "store")), launched)
    outputs = [{name: step["outputs"] for name, step in one.steps.items()} for one in (here, there)]
    assert outputs[0] == outputs[1]
    assert here.engine == "vertex"


def test_what_a_schedule_of_vertex_ais_ran_is_imported_too(
    vertex: VertexCluster, sync: Sync, launched: str, tmp_path: Path
) -> None:
    body = {k: v for k, v in vertex.vertex.jobs[launched].items() if k in ("displayName", "labels", "pipelineSpec", "runtimeConfig")}  # fmt: skip
    schedule = {"name": "schedules/1", "createPipelineJobRequest": {"pipelineJob": body}}
    fired = vertex.vertex.fire(schedule)
    assert [row["state"] for row in sync()[1]] == ["imported", "still running"]
    vertex.complete(fired, cached_from=launched)
    (row,) = [row for row in sync()[1] if row["kfp_run"] == fired]
    assert row["outcome"] == "done"
    assert row["run"].startswith("tiny-"), "of the form of every run"
    assert row["run"] != fired
    record = read_run(open_store(str(tmp_path / "synced")), row["run"])
    assert record.steps["train"]["cached"]
    assert not record.steps["select"]["cached"]


def test_a_job_that_failed_is_imported_with_its_reason(
    vertex: VertexCluster, sync: Sync, launched: str, tmp_path: Path
) -> None:
    body = {k: v for k, v in vertex.vertex.jobs[launched].items() if k in ("displayName", "labels", "pipelineSpec", "runtimeConfig")}  # fmt: skip
    vertex.vertex.create("tiny-20260101-000000-abcd", body)
    vertex.fail_job("tiny-20260101-000000-abcd", "train", "exited with a non-zero status of 2.")
    code, rows = sync()
    assert (code, rows[1]["outcome"]) == (0, "failed")
    record = read_run(open_store(str(tmp_path / "synced")), "tiny-20260101-000000-abcd")
    assert "refused what it was given" in json.dumps(record.steps["train"])
    assert record.steps["ingest"]["state"] == "done"
    assert record.steps["publish"]["state"] == "skipped"


def test_one_that_is_damaged_does_not_hinder_the_others(
    vertex: VertexCluster, sync: Sync, launched: str, config_path: Path, tmp_path: Path
) -> None:
    second = Launch(vertex, config_path, tmp_path / "store")().run
    folder = vertex.places[launched, "train"]
    for name in kfp_cluster.names(vertex.gcs, folder):
        kfp_cluster.remove(vertex.gcs, name)
    code, rows = sync()
    assert code == 2
    assert [(row["run"], row["state"]) for row in rows] == [
        (launched, "damaged"),
        (second, "imported"),
    ]
    assert "train" in rows[0]["error"]["what"]


def test_a_job_that_is_deleted_while_it_is_looked_at_does_not_hinder_the_others(
    vertex: VertexCluster,
    sync: Sync,
    launched: str,
    config_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    second = Launch(vertex, config_path, tmp_path / "store")().run
    listed = PipelineJobs.ours

    def ours(jobs: PipelineJobs) -> Iterator[PipelineJob]:
        rows = list(listed(jobs))
        del vertex.vertex.jobs[launched]
        yield from rows

    monkeypatch.setattr(PipelineJobs, "ours", ours)
    code, rows = sync()
    assert code == 0
    assert [(row["run"], row["state"]) for row in rows] == [
        (launched, "gone"),
        (second, "imported"),
    ]


def test_a_pipeline_version_that_is_gone_is_said(
    vertex: VertexCluster, sync: Sync, launched: str
) -> None:
    for name in kfp_cluster.names(vertex.gcs, f"{kfp_cluster.ROOT}/plans/"):
        kfp_cluster.remove(vertex.gcs, name)
    code, rows = sync()
    assert code == 2
    assert "has no record of the pipeline version" in rows[0]["error"]["what"]


def test_without_a_project_it_is_said(
    vertex: VertexCluster, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["sync", "--engine", "vertex", "--store", str(tmp_path / "s")]) == 2
    assert "--project NAME --location REGION" in capsys.readouterr().err
