"""The API of Vertex AI: credentials, patience, pages, and what each refusal means."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from components.contract.errors import UserError
from pipelines.engines.vertex.jobs import PipelineJobs
from pipelines.engines.vertex.place import place_of, service_of
from pipelines.stores.retrying import RetryPolicy
from tests.servers.vertex.server import LOCATION, PROJECT, Json, VertexServer

HASTY = RetryPolicy(deadline_s=1.0, connect_s=0.5, read_s=0.5, wait_s=0.02)
BODY: Json = {
    "displayName": "j",
    "labels": {"slimline": "v"},
    "runtimeConfig": {"gcsOutputDirectory": "gs://bucket/root"},
    "pipelineSpec": {
        "schemaVersion": "2.1.0", "root": {"dag": {}}, "defaultPipelineRoot": "gs://bucket/root",
    },
}  # fmt: skip


@pytest.fixture
def jobs(server: VertexServer) -> PipelineJobs:
    return PipelineJobs(place_of(PROJECT, LOCATION, server.url), HASTY)


def test_googles_own_address_is_the_regions() -> None:
    assert place_of(PROJECT, LOCATION, None).host == service_of(LOCATION)
    assert service_of(LOCATION) == "https://europe-west4-aiplatform.googleapis.com"


def test_a_job_is_created_once_and_found_again(server: VertexServer, jobs: PipelineJobs) -> None:
    jobs.create("j-1", BODY)
    jobs.create("j-1", BODY)
    assert list(server.jobs) == ["j-1"]
    found = jobs.get("j-1")
    assert (found.identifier, found.outcome, found.version) == ("j-1", "running", "v")
    jobs.cancel("j-1")
    assert server.jobs["j-1"]["state"] == "PIPELINE_STATE_CANCELLING"
    with pytest.raises(LookupError):
        jobs.get("j-2")


def test_cancelling_what_has_ended_changes_nothing(
    server: VertexServer, jobs: PipelineJobs
) -> None:
    jobs.create("j-1", BODY)
    server.jobs["j-1"]["state"] = "PIPELINE_STATE_SUCCEEDED"
    jobs.cancel("j-1")


def test_cancelling_what_is_deleted_changes_nothing(jobs: PipelineJobs) -> None:
    jobs.cancel("j-1")


def test_all_pages_are_read_and_other_peoples_jobs_left_out(
    server: VertexServer, jobs: PipelineJobs
) -> None:
    for index in range(203):
        jobs_of = {"slimline": "v"} if index != 7 else {"other": "x"}
        server.create(f"j-{index}", {**BODY, "labels": jobs_of})
    assert [job.identifier for job in jobs.ours()] == [f"j-{i}" for i in range(203) if i != 7]


def test_a_token_that_has_ended_is_exchanged_anew(server: VertexServer, jobs: PipelineJobs) -> None:
    jobs.create("j-1", BODY)
    assert server.requests["token"] == 1
    server.tokens.clear()
    jobs.get("j-1")
    assert server.requests["token"] == 2


@pytest.mark.parametrize("kind", ["503", "500", "429", "reset"])
def test_what_may_pass_is_tried_again(server: VertexServer, jobs: PipelineJobs, kind: str) -> None:
    server.plan("create", kind, kind)
    jobs.create("j-1", BODY)
    assert server.requests["create"] == 3


@pytest.mark.parametrize(
    ("kind", "said", "fix"),
    [
        ("400The field x is wrong.", r"refuses it .400.: The field x is wrong", "correct what it"),
        ("403", "forbids it in the project my-project", "roles/aiplatform.user"),
        (
            "403Vertex AI API has not been used in project 12 before or it is disabled.",
            "is not enabled", "gcloud services enable aiplatform.googleapis.com",
        ),
        (
            "403You do not have permission to act as service_account (iam.serviceAccounts.actAs)",
            "may not start containers as", "roles/iam.serviceAccountUser",
        ),
        ("404The resource was not found", "has no project my-project", "--location"),
    ],
)  # fmt: skip
def test_refusals_are_said_at_once_with_the_command_that_helps(
    server: VertexServer, jobs: PipelineJobs, kind: str, said: str, fix: str
) -> None:
    server.plan("create", kind)
    with pytest.raises(UserError, match=said) as caught:
        jobs.create("j-1", BODY)
    assert fix in caught.value.fix
    assert server.requests["create"] == 1
    jobs.create("j-1", BODY)


def test_outages_are_said_at_the_deadline(server: VertexServer, jobs: PipelineJobs) -> None:
    server.plan("get", *["429"] * 100)
    began = time.monotonic()
    with pytest.raises(UserError, match="quota of the project") as caught:
        jobs.get("j-1")
    assert time.monotonic() - began < 5
    assert "raise the quota" in caught.value.fix
    server.plan("list", *["reset"] * 100)
    with pytest.raises(UserError, match="could not be reached until the deadline"):
        list(jobs.ours())


def test_another_region_or_project_is_said(server: VertexServer) -> None:
    jobs = PipelineJobs(place_of("another-project", LOCATION, server.url), HASTY)
    with pytest.raises(UserError, match="has no project another-project") as caught:
        jobs.create("j-1", BODY)
    assert "--project" in caught.value.fix


def test_no_credentials_are_said(
    server: VertexServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "none.json").write_text("[]")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    with pytest.raises(UserError, match="cannot be used") as caught:
        PipelineJobs(place_of(PROJECT, LOCATION, server.url), HASTY)
    assert "gcloud auth application-default login" in caught.value.fix
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
    PipelineJobs(place_of(PROJECT, LOCATION, server.url), HASTY).create("j-1", BODY)


def test_credentials_that_are_not_taken_are_said(server: VertexServer, jobs: PipelineJobs) -> None:
    server.plan("token", *["401"] * 10)
    with pytest.raises(UserError, match="credentials cannot be used") as caught:
        jobs.create("j-1", BODY)
    assert "gcloud auth application-default login" in caught.value.fix


def test_a_page_for_people_is_said(server: VertexServer) -> None:
    jobs = PipelineJobs(place_of(PROJECT, LOCATION, f"{server.url}/elsewhere"), HASTY)
    with pytest.raises(UserError, match="404") as caught:
        next(jobs.ours(), None)
    assert caught.value.fix
