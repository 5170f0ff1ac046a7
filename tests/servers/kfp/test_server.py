"""The API server that other tests rely on answers kfp-server-api as the real one would."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kfp_server_api as kfp
import pytest
import requests
import urllib3

from tests.servers.kfp import recordings
from tests.servers.kfp.releases import VERSIONS
from tests.servers.kfp.replay import operation_of
from tests.servers.kfp.schema import fault
from tests.servers.kfp.server import KfpServer

IR = "pipelineInfo: {name: tiny}\n---\nplatforms: {}\n"


@pytest.fixture
def server() -> Iterator[KfpServer]:
    with KfpServer() as server:
        yield server


def api(server: KfpServer) -> kfp.ApiClient:
    configuration = kfp.Configuration(host=server.url)
    configuration.retries = False
    return kfp.ApiClient(configuration)


def submitted(server: KfpServer, tmp_path: Path, name: str = "one") -> kfp.V2beta1Run:
    client = api(server)
    body = kfp.V2beta1Pipeline(display_name="tiny", name="tiny")
    pipelines = kfp.PipelineServiceApi(client)
    try:
        pipeline = pipelines.pipeline_service_get_pipeline_by_name("tiny")
    except kfp.ApiException:
        pipeline = pipelines.pipeline_service_create_pipeline(body)
    path = tmp_path / "pipeline.yaml"
    path.write_text(IR)
    version = kfp.PipelineUploadServiceApi(client).upload_pipeline_version(
        str(path), name=f"v-{name}", pipelineid=pipeline.pipeline_id
    )
    experiment = kfp.ExperimentServiceApi(client).experiment_service_create_experiment(
        kfp.V2beta1Experiment(display_name=f"tiny-{name}")
    )
    return kfp.RunServiceApi(client).run_service_create_run(
        kfp.V2beta1Run(
            display_name=name,
            experiment_id=experiment.experiment_id,
            pipeline_version_reference=kfp.V2beta1PipelineVersionReference(
                pipeline_id=pipeline.pipeline_id, pipeline_version_id=version.pipeline_version_id
            ),
            runtime_config=kfp.V2beta1RuntimeConfig(pipeline_root="gs://b/r", parameters={}),
        )
    )


def test_a_run_from_upload_to_its_end(server: KfpServer, tmp_path: Path) -> None:
    run = submitted(server, tmp_path)
    runs = kfp.RunServiceApi(api(server))
    assert run.state == "PENDING"
    server.backend.begin(run.run_id)
    server.backend.skip(run.run_id, "ingest")
    server.backend.start(run.run_id, "train")
    seen = runs.run_service_get_run(run.run_id)
    states = {task.display_name: task.state for task in seen.run_details.task_details}
    assert states["ingest"] == "SUCCEEDED"
    assert states["train"] == "RUNNING"
    executors = [t.state for t in seen.run_details.task_details if t.display_name == "executor"]
    assert sorted(executors) == ["RUNNING", "SKIPPED"]
    assert all(t.error is None and t.pod_name is None for t in seen.run_details.task_details)
    assert all(t.inputs is None and t.outputs is None for t in seen.run_details.task_details)
    server.backend.finish(run.run_id, "train", "FAILED", "exit code 2")
    server.backend.end(run.run_id, "FAILED")
    assert runs.run_service_get_run(run.run_id).state == "FAILED"
    with pytest.raises(kfp.ApiException) as caught:
        runs.run_service_terminate_run(run.run_id)
    assert caught.value.status == 400


def test_nothing_keeps_two_runs_from_one_name_and_a_filter_finds_both(
    server: KfpServer, tmp_path: Path
) -> None:
    run = submitted(server, tmp_path)
    runs = kfp.RunServiceApi(api(server))
    again = kfp.V2beta1Run(
        display_name=run.display_name,
        experiment_id=run.experiment_id,
        pipeline_version_reference=run.pipeline_version_reference,
    )
    runs.run_service_create_run(again)
    predicate = {"operation": "EQUALS", "key": "display_name", "string_value": "ONE"}
    found = runs.run_service_list_runs(filter=json.dumps({"predicates": [predicate]}))
    assert found.total_size == 2
    predicate["key"] = "labels"
    with pytest.raises(kfp.ApiException) as caught:
        runs.run_service_list_runs(filter=json.dumps({"predicates": [predicate]}))
    assert "unrecognized field" in json.loads(caught.value.body)["message"]


def test_pages_end(server: KfpServer, tmp_path: Path) -> None:
    for name in "abcde":
        submitted(server, tmp_path, name)
    runs = kfp.RunServiceApi(api(server))
    names: list[str] = []
    token = ""
    while True:
        page = runs.run_service_list_runs(page_size=2, page_token=token, sort_by="created_at desc")
        names += [run.display_name for run in page.runs]
        token = page.next_page_token
        if not token:
            break
    assert names == list("edcba")


def test_bodies_are_held_against_the_models() -> None:
    assert fault({"display_name": "a"}, "V2beta1Run") is None
    assert "unknown field" in (fault({"labels": {}}, "V2beta1Run") or "")
    assert "is no str" in (fault({"display_name": {}}, "V2beta1Run") or "")
    assert "RecurringRunMode" in (fault({"mode": "ON"}, "V2beta1RecurringRun") or "")
    trigger = {"cron_schedule": {"cron": "0 0 3 * * *", "start_time": "today"}}
    assert "RFC 3339" in (fault({"trigger": trigger}, "V2beta1RecurringRun") or "")


@pytest.mark.parametrize("kind", ["401", "403", "404", "409", "429", "500", "503", "reset"])
def test_every_fault_is_met(server: KfpServer, kind: str) -> None:
    server.plan("healthz", kind)
    health = kfp.HealthzServiceApi(api(server))
    if kind == "reset":
        with pytest.raises(urllib3.exceptions.HTTPError):
            health.healthz_service_get_healthz()
    else:
        with pytest.raises(kfp.ApiException) as caught:
            health.healthz_service_get_healthz()
        assert caught.value.status == int(kind)
        assert json.loads(caught.value.body)["code"] > 0
    assert health.healthz_service_get_healthz().multi_user is False


def test_an_answer_can_be_lost_when_the_work_is_done(server: KfpServer) -> None:
    server.plan("create_experiment", "lost")
    experiments = kfp.ExperimentServiceApi(api(server))
    body = kfp.V2beta1Experiment(display_name="tiny")
    with pytest.raises(urllib3.exceptions.HTTPError):
        experiments.experiment_service_create_experiment(body)
    with pytest.raises(kfp.ApiException) as caught:
        experiments.experiment_service_create_experiment(body)
    assert caught.value.status == 409


def test_who_may_not_is_told() -> None:
    with KfpServer(namespaces=["mine"]) as server:
        runs = kfp.RunServiceApi(api(server))
        for namespace, status in ((None, 400), ("theirs", 403)):
            given = {"namespace": namespace} if namespace else {}
            with pytest.raises(kfp.ApiException) as caught:
                runs.run_service_list_runs(**given)
            assert caught.value.status == status
        assert runs.run_service_list_runs(namespace="mine").total_size is None
    with KfpServer(api="v1beta1") as server:
        with pytest.raises(kfp.ApiException) as caught:
            kfp.HealthzServiceApi(api(server)).healthz_service_get_healthz()
        assert caught.value.status == 404


# versions --------------------------------------------------------------------------------------


@pytest.fixture(params=VERSIONS)
def of_version(request: pytest.FixtureRequest) -> Iterator[KfpServer]:
    with KfpServer(version=request.param) as server:
        yield server


def test_replies_have_the_keys_that_were_recorded(of_version: KfpServer, tmp_path: Path) -> None:
    version = of_version.backend.release.version
    recorded = {
        operation_of(exchange["method"], exchange["path"]): exchange["reply"]
        for exchange in recordings.exchanges(version, "succeeds")
        if "filter" not in exchange["path"]
    }
    run = submitted(of_version, tmp_path)
    of_version.backend.begin(run.run_id)
    seen: dict[str, Any] = {}
    for path in ("healthz", f"runs/{run.run_id}", f"pipelines/{_first(of_version)}"):
        url = f"{of_version.url}/apis/v2beta1/{path}"
        seen[operation_of("GET", url)] = requests.get(url, timeout=5).json()
    missing = requests.get(f"{of_version.url}/apis/v2beta1/pipelines/names/none", timeout=5)
    seen[operation_of("GET", missing.request.path_url)] = missing.json()
    for operation in ("GET /apis/v2beta1/healthz", "GET /apis/v2beta1/pipelines/names/NAME"):
        assert seen[operation].keys() == recorded[operation].keys()
    ended = recorded["GET /apis/v2beta1/runs/ID"]
    optional = {"description", "experiment_id"}
    got = seen["GET /apis/v2beta1/runs/ID"]
    assert got.keys() | optional == ended.keys() | optional
    made = recorded["POST /apis/v2beta1/pipelines"]
    assert ("name" in seen["GET /apis/v2beta1/pipelines/ID"]) == ("name" in made)


def _first(server: KfpServer) -> str:
    return next(iter(server.backend.pipelines))


def test_a_run_is_retried_by_the_api(of_version: KfpServer, tmp_path: Path) -> None:
    run = submitted(of_version, tmp_path)
    runs = kfp.RunServiceApi(api(of_version))
    of_version.backend.begin(run.run_id)
    with pytest.raises(kfp.ApiException) as caught:
        runs.run_service_retry_run(run.run_id)
    told = json.loads(caught.value.body)
    assert (caught.value.status, told["code"]) == (409, 10)
    assert "Workflow must be Failed/Error to retry" in told["message"]
    of_version.backend.end(run.run_id, "FAILED")
    runs.run_service_retry_run(run.run_id)
    assert runs.run_service_get_run(run.run_id).state == "RUNNING"


def test_a_run_that_is_deleted_is_not_found(of_version: KfpServer, tmp_path: Path) -> None:
    run = submitted(of_version, tmp_path)
    runs = kfp.RunServiceApi(api(of_version))
    runs.run_service_delete_run(run.run_id)
    with pytest.raises(kfp.ApiException) as caught:
        runs.run_service_get_run(run.run_id)
    assert caught.value.status == 404
    assert f"Run {run.run_id} not found" in caught.value.body


def test_a_page_of_the_ui_uploads_and_starts_without_an_experiment(
    server: KfpServer, tmp_path: Path
) -> None:
    path = tmp_path / "pipeline.yaml"
    path.write_text(IR)
    pipeline = kfp.PipelineUploadServiceApi(api(server)).upload_pipeline(str(path), name="by hand")
    versions = kfp.PipelineServiceApi(api(server)).pipeline_service_list_pipeline_versions(
        pipeline.pipeline_id
    )
    (version,) = versions.pipeline_versions
    assert version.display_name == "by hand"
    reference = kfp.V2beta1PipelineVersionReference(
        pipeline_id=pipeline.pipeline_id, pipeline_version_id=version.pipeline_version_id
    )
    body = kfp.V2beta1Run(display_name="Run of by hand", pipeline_version_reference=reference)
    run = kfp.RunServiceApi(api(server)).run_service_create_run(body)
    experiments = kfp.ExperimentServiceApi(api(server)).experiment_service_list_experiments()
    assert [e.experiment_id for e in experiments.experiments] == [run.experiment_id]


def test_logs_are_read_as_long_as_the_pod_is_there_and_errors_come_with_status_200(
    of_version: KfpServer, tmp_path: Path
) -> None:
    run = submitted(of_version, tmp_path)
    backend = of_version.backend
    backend.begin(run.run_id)
    backend.start(run.run_id, "train")
    backend.printed(run.run_id, "train", "epoch 1\n")
    pod = backend.pod_name(run.run_id, "train")
    url = f"{of_version.url}/apis/v1alpha1/runs/{run.run_id}/nodes/{pod}/log"
    assert requests.get(url, timeout=5).text == "epoch 1\n"
    backend.collect_pods(run.run_id)
    gone = requests.get(url, timeout=5)
    assert gone.status_code == 200
    assert "not found" in gone.json()["error_message"]
