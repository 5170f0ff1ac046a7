"""Who asks, at which address: each thing that cannot be used is named, with the way out."""

from __future__ import annotations

import importlib
import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from components.contract.errors import UserError
from pipelines.stores.bucket import BucketStore
from pipelines.stores.opening import open_store
from pipelines.stores.retrying import RetryPolicy
from tests.servers.s3.proxy import S3Proxy
from tests.servers.s3.seaweedfs import ACCESS_KEY, BUCKET, SECRET_KEY, SeaweedFs
from tests.servers.web import Reply, web_server

SHORT = RetryPolicy(deadline_s=0.5, read_s=0.5, wait_s=0.02)
PAGE = b"<!DOCTYPE html><title>Please log in</title>"


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine on which nobody has logged in; its folder ``.aws``."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    (tmp_path / ".aws").mkdir()
    return tmp_path / ".aws"


def fault(uri: str = "s3://bucket/x") -> UserError:
    with pytest.raises(UserError) as caught:
        BucketStore(uri, SHORT)
    return caught.value


def test_no_credentials(bare: Path, seaweedfs: SeaweedFs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", seaweedfs.url)
    found = fault()
    assert found.what == f"s3://bucket/x: this machine has no credentials for {seaweedfs.url}"
    assert "export AWS_ACCESS_KEY_ID=" in found.fix
    assert "mlpipeline-minio-artifact" in found.fix
    # The fix.
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    assert open_store(f"s3://{BUCKET}/x").stat("a") is None


def test_a_profile_has_key_address_and_region(
    bare: Path, seaweedfs: SeaweedFs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "kubeflow")
    found = fault()
    assert "there is no profile 'kubeflow', which AWS_PROFILE names" in found.what
    assert "aws configure list-profiles" in found.fix
    (bare / "config").write_text(
        f"[profile kubeflow]\nregion = eu-west-1\nendpoint_url = {seaweedfs.url}\n"
    )
    (bare / "credentials").write_text(
        f"[kubeflow]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"
    )
    assert open_store(f"s3://{BUCKET}/x").stat("a") is None
    assert open_store(f"minio://{BUCKET}/x").stat("a") is None


@pytest.mark.parametrize(
    ("key", "secret"), [("AKIAOTHER", SECRET_KEY), (ACCESS_KEY, "something else")]
)
def test_credentials_that_are_not_accepted(
    s3: S3Proxy, monkeypatch: pytest.MonkeyPatch, key: str, secret: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    found = fault(f"s3://{BUCKET}/x")
    assert "the credentials are not accepted" in found.what
    assert "export AWS_PROFILE=NAME" in found.fix


def test_minio_needs_an_address(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    found = fault("minio://mlpipeline/v2/artifacts")
    assert "minio:// is a service at an address of its own, and nothing says which" in found.what
    assert found.fix.startswith("export AWS_ENDPOINT_URL_S3=http://localhost:9000")
    assert "port-forward" in found.fix


@pytest.mark.parametrize("address", ["localhost:9000", "http://", "seaweedfs"])
def test_a_malformed_address(s3: S3Proxy, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
    found = fault()
    assert "the address of the service is malformed" in found.what
    assert "export AWS_ENDPOINT_URL_S3=http://localhost:9000" in found.fix


def test_nobody_at_the_address(s3: S3Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{port}")
    assert f"http://127.0.0.1:{port} could not be reached" in fault().what


def test_a_missing_bucket(s3: S3Proxy) -> None:
    found = fault("s3://nowhere/x")
    assert found.what == f"s3://nowhere/x: there is no bucket 'nowhere' at {s3.url}"
    assert "aws s3 mb s3://nowhere" in found.fix


@pytest.mark.parametrize(
    ("status", "body", "what", "fix"),
    [
        (200, PAGE, "answers, but not as S3 does", "svc/minio-service 9000:9000"),
        (200, b"", "answers, but not as S3 does", "correct AWS_ENDPOINT_URL_S3"),
        (404, PAGE, "answers, but not as S3 does", "correct AWS_ENDPOINT_URL_S3"),
        (403, b"AccessDenied", "access is forbidden", "s3:PutObject"),
        (403, b"RequestTimeTooSkewed", "the clock of this machine is wrong", "set the clock"),
        (403, b"ExpiredToken", "the credentials have expired", "aws sso login"),
        (
            400,
            b"IllegalLocationConstraintException",
            "in another region",
            "export AWS_DEFAULT_REGION=REGION",
        ),
        (400, b"InvalidBucketName", "takes no bucket of the name 'bucket'", "another bucket"),
        (501, b"NotImplemented", "does not know what is asked", "SeaweedFS 4.48"),
        (418, b"Teapot", "answers with status 418, Teapot: The moon is full.", "ErrorResponses"),
        (503, b"Unavailable", "could not be reached", "run again"),
    ],
)
def test_any_error_is_said_with_its_fix(
    bare: Path, monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, what: str, fix: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    if body.isalnum():
        body = b"<Error><Code>%s</Code><Message>The moon is full.</Message></Error>" % body

    def answer(verb: str, _: str) -> Reply:
        return Reply(status, body if verb == "GET" else b"", "application/xml")

    with web_server(answer) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://{address}")
        found = fault()
    assert found.what.startswith("s3://bucket/x: ")
    assert what in found.what
    assert fix in found.fix


@pytest.mark.parametrize(
    "uri", ["s3://", "s3://Bucket/x", "s3://a_b/x", "s3://ab", "minio://bucket/a//b", "s3://b c/x"]
)
def test_malformed(s3: S3Proxy, uri: str) -> None:
    with pytest.raises(UserError, match="names no place in a bucket") as caught:
        open_store(uri)
    assert f"{uri.partition(':')[0]}://my-bucket/slimline" in caught.value.fix


def test_an_extra_that_is_not_installed_is_said_with_its_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "botocore", None)
    for module in [name for name in sys.modules if name.startswith("pipelines.stores.s3_")]:
        monkeypatch.delitem(sys.modules, module)
    found = fault()
    assert found.what.startswith("s3://bucket/x: the package botocore, which it needs, is not")
    assert found.fix.endswith("[s3]'")


def test_other_stores_load_no_client_of_aws() -> None:
    modules: Any = importlib.import_module("subprocess").run(
        [sys.executable, "-c", "import pipelines.stores.opening, sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "botocore" not in modules.stdout.split()
