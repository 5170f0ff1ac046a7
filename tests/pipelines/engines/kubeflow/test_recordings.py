"""What real servers of four versions answered, given to the client: what it calls the run."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from components.contract.errors import UserError
from pipelines.cli.main import main
from pipelines.engines.kubeflow.api.connection import Connection
from pipelines.engines.kubeflow.launching.submitting import MODELS
from pipelines.runs.records import RunRecord, list_runs
from pipelines.stores.opening import open_store
from tests.servers.gcs.server import GcsServer
from tests.servers.kfp import cluster as kfp_cluster
from tests.servers.kfp import recordings
from tests.servers.kfp.cluster import LocalRun
from tests.servers.kfp.executing import Executing
from tests.servers.kfp.releases import VERSIONS
from tests.servers.kfp.replay import ReplayServer
from tests.servers.kfp.server import KfpServer
from tests.servers.kfp.stand_ins import StandIns

DATA = "gs://bucket/data/digits.csv.gz"


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
            if step["state"] == "failed"
        }


def _config(case: str) -> str:
    """Return the recorded configuration, for the graph that was recorded, without our retries."""
    name = {"toolarge": "wide30", "iscached": "succeeds"}.get(case, case)
    given = yaml.safe_load((recordings.needed() / "configs" / f"{name}.yaml").read_text())
    given["baseline"] = "none"  # there was none when the recordings were made
    given["kubeflow"]["retries"] = 0
    return yaml.safe_dump(given, sort_keys=False)


@pytest.fixture
def told(
    gcs: GcsServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Told]]:
    """Run the recorded configuration against the recorded answers."""
    servers: list[ReplayServer] = []

    def run(
        version: str, case: str, prepare: Callable[[ReplayServer], None] = lambda _: None
    ) -> Told:
        config = tmp_path / f"{case}.yaml"
        config.write_text(_config(case))
        kfp_cluster.put_data(gcs)
        digits = kfp_cluster.read(gcs, kfp_cluster.DATA)
        kfp_cluster.put(gcs, DATA, digits)
        server = ReplayServer(version, case)
        servers.append(server)
        server.__enter__()
        server.started = lambda: prepare(server)
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


EVERYWHERE = pytest.mark.parametrize("version", VERSIONS)
KEEPS_LOGS = ("2.16.1", "2.17.0")
Tell = Callable[..., Told]


class Filled:
    """A pipeline root in which stand-ins have carried out what was submitted, as recorded."""

    def __init__(self, version: str, gcs: GcsServer, tiny_run: LocalRun) -> None:
        self.kfp = KfpServer(version=version)
        stand_ins = StandIns(tiny_run.store, tiny_run.run)
        self.cluster = Executing(self.kfp, gcs, stand_ins.pod)

    def carry_out(self, text: bytes, run: str) -> None:
        """Carry out one run of a pipeline, under a recorded identifier."""
        backend = self.kfp.backend
        pipeline = backend.create_pipeline({"name": f"p{len(backend.pipelines)}"})
        version = backend.upload_version(pipeline["pipeline_id"], "v", text, {})
        reference = {key: version[key] for key in ("pipeline_id", "pipeline_version_id")}
        body = {"display_name": run, "pipeline_version_reference": reference}
        body["runtime_config"] = {"pipeline_root": "gs://bucket/root"}
        backend.open_run(body, {"experiment_id": "e"}, backend.spec_of(body), run)
        self.cluster.complete(run)
        assert backend.runs[run]["state"] == "SUCCEEDED"


@EVERYWHERE
def test_a_run_that_succeeds_is_done(
    told: Tell, version: str, gcs: GcsServer, tiny_run: LocalRun
) -> None:
    filled = Filled(version, gcs, tiny_run)
    run = told(version, "succeeds", lambda server: filled.carry_out(server.uploaded, server.run))
    assert run.record, run.text
    assert run.record.outcome == "done", run.text
    assert {step["state"] for step in run.record.steps.values()} == {"done"}
    assert len(run.record.steps) == 13


def test_a_run_from_the_clusters_cache_is_done_and_says_so(
    told: Tell, gcs: GcsServer, tiny_run: LocalRun, tmp_path: Path
) -> None:
    filled = Filled("2.17.0", gcs, tiny_run)
    first = told("2.17.0", "succeeds", lambda server: filled.carry_out(server.uploaded, server.run))
    shutil.rmtree(tmp_path / "store")  # what is known here would not be asked of a cluster again

    def fill(server: ReplayServer) -> None:
        filled.carry_out(first.server.uploaded, server.run)

    run = told("2.17.0", "iscached", fill)
    assert run.record, run.text
    assert run.record.outcome == "done", run.text
    states = {name: step["state"] for name, step in run.record.steps.items()}
    executed = {name for name, state in states.items() if state == "done"}
    assert executed == {"select", "evaluate-sealed", "publish"}
    assert set(states.values()) == {"done", "cached"}


@EVERYWHERE
def test_a_users_fault_in_a_step_is_told_with_its_fix(told: Tell, version: str) -> None:
    run = told(version, "stepfails")
    assert run.record
    assert (run.record.outcome, run.code) == ("failed", 2)
    (said,) = run.failed.values()
    assert list(run.failed) == ["ingest"]
    if version in KEEPS_LOGS:
        assert "too little data: of 1797 pictures, 0 identities can be used" in said
        assert "add identities, with 1000 different images or more each" in said
    else:
        assert "kubectl" in said


@EVERYWHERE
def test_a_driver_that_fails_is_no_cancellation(told: Tell, version: str) -> None:
    run = told(version, "driverfails")
    assert run.record
    assert (run.record.outcome, run.code != 130) == ("failed", True)
    (step,) = run.failed
    assert step == "distill-conv-050"
    assert "driver" in run.failed[step]


@EVERYWHERE
def test_a_run_that_is_cancelled_is_called_so(told: Tell, version: str) -> None:
    run = told(version, "iscancelled")
    assert run.record
    assert (run.record.outcome, run.code) == ("cancelled", 130)
    assert not run.failed


@EVERYWHERE
def test_names_that_argo_refuses_are_refused_before_anything_is_sent(
    told: Tell, version: str
) -> None:
    run = told(version, "clashes")
    assert run.code == 2
    assert "x-driver" in run.text
    assert "fix: " in run.text
    assert not [operation for operation in run.server.requests if operation.startswith("POST")]


@EVERYWHERE
def test_a_workflow_that_the_server_calls_invalid_is_not_asked_for_again(version: str) -> None:
    with ReplayServer(version, "clashes") as server:
        connection = Connection(server.url)
        body = MODELS.V2beta1Run(display_name="clashes", experiment_id="e")
        with pytest.raises(UserError, match="duplicated nodeName convert-x-driver"):
            connection.order(connection.runs.run_service_create_run, body)
    assert server.requests["POST /apis/v2beta1/runs"] == 1


def test_a_root_driver_that_fails_is_told(told: Tell) -> None:
    run = told("2.17.0", "rootfails")
    assert run.record
    assert (run.record.outcome, run.code != 130) == ("failed", True)
    assert "driver" in run.text


def test_an_importer_that_fails_is_told(told: Tell) -> None:
    run = told("2.17.0", "importerfails")
    assert run.record
    assert (run.record.outcome, run.code != 130) == ("failed", True)
    assert list(run.failed) == ["ingest"], "what reads it stands for it"
    assert "source-data" in run.text


@EVERYWHERE
def test_a_schedule_is_added_paused_resumed_and_removed(
    version: str, gcs: GcsServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "sched.yaml"
    config.write_text(_config("sched").replace("package:sklearn/datasets/data/", DATA[:-18]))
    kfp_cluster.put_data(gcs)
    kfp_cluster.put(gcs, DATA, kfp_cluster.read(gcs, kfp_cluster.DATA))
    line = "sched  enabled  30 3 * * *"
    config_words = (str(config), "--native", "--cron", "30 3 * * *")
    for start, words, said in (
        (0, ("add", *config_words), line),
        (19, ("list",), line),
        (21, ("pause", "sched"), "sched  paused"),
        (25, ("resume", "sched"), line),
        (29, ("remove", "sched"), "removed sched; its runs stay"),
        (32, ("list",), "no schedules"),
    ):
        with ReplayServer(version, "schedules", start) as server:
            code = main(["schedule", *words, "--engine", "kubeflow", "--host", server.url])
        captured = capsys.readouterr()
        assert code == 0, captured.err
        assert said in captured.out
        if words[0] == "add":
            sent = dict(server.bodies)["POST /apis/v2beta1/recurringruns"]
            assert sent["trigger"] == {"cron_schedule": {"cron": "0 30 3 * * *"}}
