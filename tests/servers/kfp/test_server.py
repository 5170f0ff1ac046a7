"""The API server that other tests rely on answers kfp-server-api as the real one would."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import kfp_server_api as kfp
import pytest
import urllib3

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
