"""The vertex engine: a job is created once, watched, imported; what it cannot do it says."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.cli.main import main
from pipelines.config.loading import load
from pipelines.engines.engine import Cluster as Place
from pipelines.launch.launching import Launched, launch
from pipelines.runs.cache import Cache
from pipelines.runs.leaderboard import leaderboard_of
from pipelines.runs.live.cancelling import ask_to_end
from pipelines.runs.live.events import Event, StepDone, StepFailed, StepStarted
from pipelines.runs.records import read_run
from pipelines.stores.layout import blob_key
from pipelines.stores.opening import open_store
from tests.servers.vertex.cluster import VertexCluster
from tests.servers.vertex.server import LOCATION, PROJECT


class Launch:
    """A launch whose job takes one step whenever somebody asks how it is."""

    def __init__(self, vertex: VertexCluster, config: Path, store: Path, **how: Any) -> None:
        self.events: list[Event] = []
        self.vertex, self.config, self.store, self.how = vertex, config, store, how
        self.on_event: Callable[[Event], None] = self.events.append
        vertex.vertex.after = self._after

    def _after(self, operation: str) -> None:
        if operation == "get":
            for job in list(self.vertex.vertex.jobs):
                self.vertex.advance(job, **self.how)

    def __call__(self, **place: Any) -> Launched:
        return launch(
            load(self.config),
            engine="vertex",
            store=str(self.store),
            output=self.store.parent / f"out-{self.store.name}",
            cluster=Place(host=self.vertex.vertex.url, **place),
            on_event=self.on_event,
        )


def test_a_run_ends_as_if_it_had_been_local(
    vertex: VertexCluster, config_path: Path, tmp_path: Path
) -> None:
    started = Launch(vertex, config_path, tmp_path / "store")
    launched = started()
    assert launched.outcome == "done"
    store = open_store(str(tmp_path / "store"))
    record = read_run(store, launched.run)
    local = read_run(open_store(str(vertex.local.store)), vertex.local.run)
    assert {name: step["outputs"] for name, step in record.steps.items()} == {
        name: step["outputs"] for name, step in local.steps.items()
    }
    assert record.engine == "vertex"
    assert (launched.exported / "model.tflite").read_bytes()
    board = leaderboard_of(Cache(store, tmp_path / "scratch"), record).to_json()
    assert board["sealed"]["times_opened"] == 1
    done = [event.step for event in started.events if isinstance(event, StepDone)]
    begun = [event.step for event in started.events if isinstance(event, StepStarted)]
    assert sorted(done) == sorted(begun) == sorted(vertex.graph.by_name)
    (job,) = vertex.vertex.jobs.values()
    assert job["name"].endswith(f"/pipelineJobs/{launched.run}")
    assert job["serviceAccount"] == f"runner@{PROJECT}.iam.gserviceaccount.com"
    assert launched.page == (
        f"https://console.cloud.google.com/vertex-ai/locations/{LOCATION}/pipelines/runs/"
        f"{launched.run}?project={PROJECT}"
    )


def test_models_and_data_stay_in_the_bucket_and_questions_about_them_are_answered(
    vertex: VertexCluster, config_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    launched = Launch(vertex, config_path, tmp_path / "store")()
    store = open_store(str(tmp_path / "store"))
    record = read_run(store, launched.run)
    files = Cache(store, tmp_path).tree(record.steps["train"]["outputs"]["model"]).entries
    assert files
    assert {store.stat(blob_key(file.sha256)) for file in files} == {None}
    assert main(["verify", "--store", str(tmp_path / "store")]) == 0
    capsys.readouterr()
    assert main(["data", launched.run, "--store", str(tmp_path / "store"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("kind", ["lost", "reset", "503"])
def test_one_job_whatever_becomes_of_the_answer(
    vertex: VertexCluster, config_path: Path, tmp_path: Path, kind: str
) -> None:
    vertex.vertex.plan("create", kind)
    assert Launch(vertex, config_path, tmp_path / "store")().outcome == "done"
    assert len(vertex.vertex.jobs) == 1
    assert vertex.vertex.requests["create"] == 2


def test_what_vertex_ai_takes_from_its_cache_is_imported_from_where_it_lies(
    vertex: VertexCluster, config_path: Path, tmp_path: Path
) -> None:
    first = Launch(vertex, config_path, tmp_path / "store")()
    second = Launch(vertex, config_path, tmp_path / "store", cached_from=first.run)()
    assert second.outcome == "done"
    executed = {name for name, event in second.steps.items() if not event.cached}
    assert executed == {"select", "evaluate-sealed", "publish"}
    third = Launch(vertex, config_path, tmp_path / "other", cached_from=first.run)()
    record = read_run(open_store(str(tmp_path / "other")), third.run)
    kept = json.loads(open_store(str(tmp_path / "other")).get(record.steps["train"]["record"]))
    assert kept["predicate"]["runDetails"]["metadata"]["invocationId"] == f"{first.run}/train"


def failing(vertex: VertexCluster, step: str, message: str) -> Callable[[str], None]:
    def after(operation: str) -> None:
        if operation == "get":
            for job in list(vertex.vertex.jobs):
                vertex.fail_job(job, step, message)

    return after


@pytest.mark.parametrize(
    ("message", "said", "fix", "user_fault"),
    [
        (
            ("The replica workerpool0-0 exited with a non-zero status of 2. To find out more about "
            "why your job exited please check the logs"), "refused what it was given",
            "gcloud logging read", True,
        ),
        ("The replica workerpool0-0 exited with a non-zero status of 137.", "was killed",
         "memory_gb of train", True),
        ("The replica workerpool0-0 exited with a non-zero status of 1.", "a bug of slimline",
         "gcloud logging read", False),
        ("Failed to pull image europe-west4-docker.pkg.dev/x", "its image cannot be pulled",
         "artifactregistry.reader", True),
        ("Internal error occurred for the current attempt.", "failed: Internal error",
         'resource.labels.job_id="77"', True),
    ],
)  # fmt: skip
def test_a_step_that_fails_says_why(
    vertex: VertexCluster, config_path: Path, tmp_path: Path,
    message: str, said: str, fix: str, user_fault: bool,
) -> None:  # fmt: skip
    started = Launch(vertex, config_path, tmp_path / "store")
    vertex.vertex.after = failing(vertex, "train", message)
    launched = started()
    assert launched.outcome == "failed"
    event = launched.steps["train"]
    assert isinstance(event, StepFailed)
    assert said in event.what
    assert fix in event.fix
    assert event.user_fault == user_fault
    assert isinstance(launched.steps["ingest"], StepDone), "what was done is kept"


def test_a_job_that_fails_before_any_task_names_a_step(
    vertex: VertexCluster, config_path: Path, tmp_path: Path
) -> None:
    started = Launch(vertex, config_path, tmp_path / "store")

    def break_off(operation: str) -> None:
        for job in vertex.vertex.jobs.values() if operation == "get" else ():
            job |= {
                "state": "PIPELINE_STATE_FAILED", "endTime": job["createTime"],
                "error": {"code": 7, "message": "The service account cannot read the bucket."},
            }  # fmt: skip

    vertex.vertex.after = break_off
    launched = started()
    (failed,) = [event for event in launched.steps.values() if isinstance(event, StepFailed)]
    assert "The service account cannot read the bucket." in failed.what
    assert launched.run in failed.fix


def test_interrupted_it_is_left_running_and_the_command_that_is_named_imports_it(
    vertex: VertexCluster, config_path: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    store = ["--store", str(tmp_path / "store")]

    def after(operation: str) -> None:
        if operation == "get":
            (job,) = vertex.vertex.jobs
            vertex.advance(job)
            if len(vertex.places) == 3:
                os.kill(os.getpid(), signal.SIGINT)

    vertex.vertex.after = after
    words = ["--engine", "vertex", "--host", vertex.vertex.url]
    assert main(["run", str(config_path), *store, *words]) == 130
    said = capsys.readouterr().err
    (named,) = re.findall(r"when it has ended: slimline (sync .*)", said)
    vertex.vertex.after = lambda _: None
    (job,) = vertex.vertex.jobs
    assert main(shlex.split(named)) == 0
    assert "still running" in capsys.readouterr().err
    vertex.complete(job)
    assert main(shlex.split(named)) == 0
    assert "1 of 1 runs imported" in capsys.readouterr().out
    record = read_run(open_store(str(tmp_path / "store")), job)
    assert (record.outcome, record.engine) == ("done", "vertex")


def test_cancelled_on_interrupt_it_ends_there(
    vertex: VertexCluster, config_path: Path, tmp_path: Path
) -> None:
    started = Launch(vertex, config_path, tmp_path / "store")

    def interrupt(event: Event) -> None:
        if isinstance(event, StepDone):
            os.kill(os.getpid(), signal.SIGINT)

    started.on_event = interrupt
    launched = started(cancel_on_interrupt=True)
    assert launched.outcome == "cancelled"
    (job,) = vertex.vertex.jobs.values()
    assert job["state"] == "PIPELINE_STATE_CANCELLED"


def test_a_job_that_somebody_deletes_is_an_error_with_its_fix(
    vertex: VertexCluster, config_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    vertex.vertex.after = lambda operation: (
        vertex.vertex.jobs.clear() if operation == "get" else None
    )
    words = ["--engine", "vertex", "--host", vertex.vertex.url]
    assert main(["run", str(config_path), "--store", "store", *words]) == 2
    assert "somebody deleted it while it was watched" in capsys.readouterr().err


def test_an_outage_that_outlasts_patience_names_the_command_that_continues(
    vertex: VertexCluster, config_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    vertex.vertex.plan("get", "403Permission 'aiplatform.pipelineJobs.get' denied")
    words = ["--engine", "vertex", "--host", vertex.vertex.url]
    assert main(["run", str(config_path), "--store", "store", *words]) == 2
    said = capsys.readouterr().err
    assert "the job goes on: https://console.cloud.google.com" in said
    assert f"slimline sync --engine vertex --project {PROJECT} --location {LOCATION}" in said


# what cannot be ---------------------------------------------------------------------------------


def configured(path: Path, **changes: Any) -> Path:
    plain = yaml.safe_load(path.read_text())
    plain["kubeflow"] |= changes
    path.write_text(yaml.safe_dump(plain, sort_keys=False))
    return path


def test_nothing_says_where(
    vertex: VertexCluster, config_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    configured(config_path, vertex=None)
    words = ["run", str(config_path), "--store", "store", "--engine", "vertex"]
    host = ["--host", vertex.vertex.url]
    assert main([*words, *host]) == 2
    said = capsys.readouterr().err
    assert "nothing says in which project" in said
    assert "--project NAME --location REGION" in said
    vertex.vertex.after = lambda operation: (
        vertex.advance(*vertex.vertex.jobs) if operation == "get" else None
    )
    assert main([*words, *host, "--project", PROJECT, "--location", LOCATION]) in (0, 3)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--project", "My_Project"], "--project: 'My_Project' is no identifier"),
        (["--location", "europe"], "--location: 'europe' is no region"),
        (["--namespace", "team"], "--namespace is for the engine kubeflow"),
        (["--token-file", "x"], "--token-file is for the engine kubeflow"),
        (["--remeasure"], "cannot measure again"),
    ],
)
def test_options_that_cannot_be_are_said(
    vertex: VertexCluster, config_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    words: list[str], said: str, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(["run", str(config_path), "--store", "store", "--engine", "vertex", *words]) == 2
    assert said in capsys.readouterr().err
    assert not vertex.vertex.requests["create"]


def test_schedules_are_vertex_ais_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schedule", "list", "--engine", "vertex"]) == 2
    assert "slimline compile --target vertex" in capsys.readouterr().err


def test_who_asks_ends_the_job_whether_somebody_watches_it_or_not(
    vertex: VertexCluster, config_path: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    store = open_store(str(tmp_path / "store"))
    started = Launch(vertex, config_path, tmp_path / "store")

    def end_cancelled(operation: str) -> None:
        for name, job in vertex.vertex.jobs.items():
            if operation == "get" and job["state"] == "PIPELINE_STATE_CANCELLING":
                vertex.advance(name)

    def ask(event: Event) -> None:
        if isinstance(event, StepDone):
            (job,) = vertex.vertex.jobs
            ask_to_end(store, job, "jane", "wrong data")
            vertex.vertex.after = end_cancelled  # it would be done before anybody looks

    started.on_event = ask
    launched = started()
    assert launched.outcome == "cancelled"
    assert (read_run(store, launched.run).cancelled or {})["reason"] == "wrong data"
    # The same again, which nobody watches.
    monkeypatch.setenv("SLIMLINE_ACTOR", "joe")
    again = Launch(vertex, config_path, tmp_path / "store")
    again.on_event = lambda event: (
        os.kill(os.getpid(), signal.SIGINT) if isinstance(event, StepDone) else None
    )
    left = again()
    assert left.outcome == "running"
    vertex.vertex.after = lambda _: None
    words = ["--store", store.uri, "--host", vertex.vertex.url]
    assert main(["cancel", left.run, *words]) == 2
    assert "nothing says in which project" in capsys.readouterr().err
    words += ["--project", PROJECT, "--location", LOCATION]
    assert main(["cancel", left.run, *words]) == 0
    assert "its cluster ends it, as joe asked" in capsys.readouterr().out
    assert vertex.vertex.jobs[left.run]["state"] == "PIPELINE_STATE_CANCELLING"
    vertex.advance(left.run)
    assert main(["cancel", left.run, *words]) == 2
    assert "has ended there: cancelled" in capsys.readouterr().err
    del vertex.vertex.jobs[left.run]
    assert main(["cancel", left.run, *words]) == 2
    assert f"has no job {left.run} in the project {PROJECT}" in capsys.readouterr().err
