"""Failures: the step is named, its last words are told, and what no retry helps is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.engines.kubeflow.api.connection import Connection
from pipelines.engines.kubeflow.watching.failures import Failures, StepFailure
from pipelines.engines.kubeflow.watching.step_logs import StepLogs
from tests.pipelines.engines.kubeflow.recorded import as_run, bucket, graph, polls
from tests.servers.kfp.releases import VERSIONS
from tests.servers.kfp.server import KfpServer

Told = Callable[..., list[StepFailure]]


@pytest.fixture
def told(kfp: KfpServer, tmp_path: Path) -> Told:
    """What is told of a recorded run that failed."""

    def tell(version: str, case: str, done: tuple[str, ...] = ()) -> list[StepFailure]:
        run = polls(version, case)[-1]
        connection = Connection(kfp.url)
        root = bucket(version, case, tmp_path / "root")
        logs = StepLogs(connection, root, graph(case).name, run.run_id)
        return Failures(logs, graph(case), "PAGE", "").of(run, done)

    return tell


@pytest.mark.parametrize("version", ["2.16.1", "2.17.0"])
def test_a_fault_of_the_user_is_told_in_the_words_of_the_step(told: Told, version: str) -> None:
    (failure,) = told(version, "stepfails")
    assert failure.step == "ingest"
    assert failure.what.startswith("ingest: too little data: of 1797 pictures, 0 identities can be")
    assert "few-images: digits.csv.gz#0" in failure.what
    assert failure.fix == "add identities, with 1000 different images or more each"
    assert (failure.user_fault, failure.retriable) == (True, False)


@pytest.mark.parametrize("version", ["2.5.0", "2.14.0"])
def test_where_nothing_is_kept_the_command_that_shows_the_log_is(told: Told, version: str) -> None:
    (failure,) = told(version, "stepfails")
    assert failure.what == "ingest: failed in the cluster, which has kept nothing of what it said"
    assert failure.fix.startswith("look at its log: kubectl logs -n kubeflow -c main $(kubectl get")
    assert failure.fix.endswith(", or PAGE")
    assert failure.retriable


@pytest.mark.parametrize("version", VERSIONS)
def test_a_driver_that_fails_is_told_at_its_step(told: Told, version: str) -> None:
    (failure,) = told(version, "driverfails")
    assert failure.step == "distill-conv-050"
    assert "could not start, because its driver (distill-conv-050-driver) failed" in failure.what
    assert "kubectl logs" in failure.fix


def test_an_importer_that_fails_is_told_at_who_reads_it(told: Told) -> None:
    (failure,) = told("2.17.0", "importerfails")
    assert failure.step == "ingest"
    assert "the import of source-data failed" in failure.what


def test_the_drivers_of_all_steps_fail_at_the_first(told: Told) -> None:
    (failure,) = told("2.17.0", "rootfails")
    assert failure.step == "ingest"
    assert "the run's driver (root-driver) failed" in failure.what


def test_a_workflow_that_outgrew_the_cluster_is_said_to_be_too_large(told: Told) -> None:
    done = ("ingest", "train")
    (failure,) = told("2.17.0", "toolarge", done)
    assert failure.step not in done
    assert "steps its Workflow is probably too large for the cluster" in failure.what
    assert "fewer variants" in failure.fix
    assert not failure.retriable


def test_a_step_that_failed_after_the_list_stood_still_is_found_by_its_log(
    kfp: KfpServer, tmp_path: Path
) -> None:
    run = polls("2.17.0", "toolarge")[-1]
    root = bucket("2.17.0", "toolarge", tmp_path)
    folder = f"toolarge/{run.run_id}/train/salt"
    root.put_if_absent(f"{folder}/executor-logs-0", b"Traceback\nOSError: no\nexit code 1\n")
    logs = StepLogs(Connection(kfp.url), root, "toolarge", run.run_id)
    (failure,) = Failures(logs, graph("toolarge"), "PAGE", "").of(run, {"ingest"})
    assert failure.step == "train"
    assert failure.what == "train: ended with a bug of slimline (exit code 1): OSError: no"
    assert (failure.user_fault, failure.retriable) == (False, True)


@pytest.mark.parametrize(
    ("said", "retriable"),
    [
        ('neither value nor default value provided for non-optional parameter "patience"', False),
        ("rpc error: code = Unavailable desc = connection refused", True),
    ],
)
def test_what_a_driver_says_of_our_graph_is_not_tried_again(
    kfp: KfpServer, tmp_path: Path, said: str, *, retriable: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    run = polls("2.17.0", "driverfails")[-1]
    connection = Connection(kfp.url)
    asked: list[str] = []

    def log_of(_run: str, pod: str) -> str:
        asked.append(pod)
        return f"I0000 driver\nF1126 main.go:79] KFP driver: {said}\n"

    monkeypatch.setattr(connection, "log_of", log_of)
    root = bucket("2.17.0", "driverfails", tmp_path)
    logs = StepLogs(connection, root, "driverfails", run.run_id)
    (failure,) = Failures(logs, graph("driverfails"), "PAGE", "").of(run, ())
    assert asked == ["driverfails-fqkw4-system-container-driver-350339480"]
    assert said in failure.what
    assert (failure.retriable, failure.user_fault) == (retriable, retriable)


def test_a_run_without_a_node_that_failed_still_names_where_it_was(
    kfp: KfpServer, tmp_path: Path
) -> None:
    run = as_run({"run_id": "r", "state": "FAILED", "run_details": {"task_details": []}})
    root = bucket("2.17.0", "nothing", tmp_path)
    logs = StepLogs(Connection(kfp.url), root, "stepfails", "r")
    (failure,) = Failures(logs, graph("stepfails"), "PAGE", "").of(run, ())
    assert failure.step == "ingest"
    assert "the server names no step of it that did; it came to ingest" in failure.what
