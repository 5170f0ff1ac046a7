"""Places and answers of a service: what is out of the ordinary is said with its place."""

import json

import pytest

from components.contract.errors import UserError
from pipelines.sources.bucket import bucket_files
from pipelines.stores.bucket import BucketStore
from pipelines.stores.bucket_uri import parse_object, parse_place
from pipelines.stores.retrying import RetryPolicy
from pipelines.stores.store import KEY_CHARACTERS_MAX
from tests.servers.web import Reply, web_server

SHORT = RetryPolicy(deadline_s=0.5, read_s=0.5, wait_s=0.02)
PAGE = b"<!DOCTYPE html><title>Please log in</title>"


def fault(reply, monkeypatch):
    with web_server(lambda verb, path: reply) as address:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://{address}")
        with pytest.raises(UserError) as caught:
            BucketStore("gs://bucket/x", SHORT)
    return caught.value.what.replace(address, "HOST"), caught.value.fix


@pytest.mark.parametrize("status", [400, 405, 409, 412, 418, 501])
def test_any_error_of_the_service_is_quoted_with_its_status(status, monkeypatch):
    body = json.dumps({"error": {"code": status, "message": "The moon is full."}}).encode()
    what, fix = fault(Reply(status, body), monkeypatch)
    assert what.startswith(f"gs://bucket/x: http://HOST answers with status {status}: ")
    assert what.endswith("The moon is full.")
    assert "json_api/v1/status-codes" in fix
    assert "STORAGE_EMULATOR_HOST" in fix


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, PAGE, "Expecting value"),
        (200, b"", "the answer is no object"),
        (200, b"[]", "the answer is no object"),
        (404, b'{"error": "not found"}', "the answer is no object"),
    ],
)
def test_an_answer_of_some_other_server_is_told_apart(status, body, said, monkeypatch):
    what, fix = fault(Reply(status, body, "text/html"), monkeypatch)
    assert what.startswith(
        "gs://bucket/x: http://HOST answers, but not with the JSON of Google Cloud Storage: "
    )
    assert said in what
    assert fix.startswith("correct or unset STORAGE_EMULATOR_HOST, check the proxy")


def test_a_bucket_that_is_missing_is_said_with_who_was_asked(monkeypatch):
    what, fix = fault(Reply(404, PAGE, "text/html"), monkeypatch)
    assert what == "gs://bucket/x: there is no bucket 'bucket' at http://HOST"
    assert "buckets create gs://bucket" in fix


def test_an_address_that_leads_nowhere_is_said(monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:x")
    with pytest.raises(UserError, match="expected a scheme, a host and a port") as caught:
        BucketStore("gs://bucket/x", SHORT)
    assert "export STORAGE_EMULATOR_HOST=http://localhost:9000" in caught.value.fix


def test_a_prefix_leaves_room_for_every_key(gcs):
    longest = 1024 - KEY_CHARACTERS_MAX - 1
    assert parse_place(f"gs://bucket/{'a' * longest}/") == ("bucket", f"{'a' * longest}/")
    with pytest.raises(UserError, match=f"has {longest + 1} characters") as caught:
        BucketStore(f"gs://bucket/{'a' * (longest + 1)}")
    assert "1024 bytes" in caught.value.what
    assert "give a shorter prefix" in caught.value.fix


def test_a_name_that_no_object_can_have(gcs):
    name = "ä" * 512
    assert parse_object(f"gs://bucket/{name}") == ("bucket", name)
    with pytest.raises(UserError, match="at most 1024 bytes, this one has 1025") as caught:
        bucket_files(f"gs://bucket/{name}x", "expected images")
    assert caught.value.fix == "correct the name: gcloud storage ls gs://bucket"
