"""Credentials and certificates: each file that cannot be used is named, with the way out."""

import json
import os
import ssl

import certifi
import pytest

from components.contract.errors import UserError
from pipelines.stores.connection import connect
from pipelines.stores.credentials import check_certificates

LOGIN = "gcloud auth application-default login"
UNREADABLE = "/proc/self/mem"
"""A file that no read succeeds on, not even one of root."""


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """A machine on which nobody has logged in."""
    for name in list(os.environ):
        if name.startswith(("GOOGLE_", "CLOUDSDK_", "GCLOUD_", "STORAGE_EMULATOR")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_GCE_CHECK", "true")


def fault():
    with pytest.raises(UserError) as caught:
        connect("gs://bucket/x")
    return caught.value


def test_none_at_all(bare):
    found = fault()
    assert found.what.startswith("gs://bucket/x: this machine has no Google Cloud credentials")
    assert "default credentials were not found" in found.what
    assert found.fix.startswith(f"{LOGIN}, or set GOOGLE_APPLICATION_CREDENTIALS")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "was not found"),
        ("", "is not a valid json file"),
        ("[]", "has no attribute"),
        ("{}", "does not have a valid type"),
        (json.dumps({"type": "service_account"}), "Failed to load service account credentials"),
    ],
)
def test_a_file_that_is_named_and_holds_none(content, said, bare, monkeypatch, tmp_path):
    path = tmp_path / "key.json"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    found = fault()
    named = f"gs://bucket/x: GOOGLE_APPLICATION_CREDENTIALS names {path}, which cannot be used: "
    assert found.what.startswith(named)
    assert said in found.what
    assert "expected the JSON file of a service account's key" in found.what
    assert "used: (" not in found.what, "a sentence, not a tuple"
    assert found.fix == (
        "correct the path or the file, or: unset GOOGLE_APPLICATION_CREDENTIALS, then " + LOGIN
    )


@pytest.mark.parametrize(
    ("path", "said"), [("/proc", "Is a directory"), (UNREADABLE, "Input/output error")]
)
def test_a_file_that_is_named_and_cannot_be_read(path, said, bare, monkeypatch):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", path)
    found = fault()
    assert f"GOOGLE_APPLICATION_CREDENTIALS names {path}, which cannot be used: " in found.what
    assert said in found.what
    assert "unset GOOGLE_APPLICATION_CREDENTIALS" in found.fix


def test_a_login_that_is_damaged(bare, tmp_path):
    path = tmp_path / "home/.config/gcloud/application_default_credentials.json"
    path.parent.mkdir(parents=True)
    path.write_text("{")
    found = fault()
    assert f"no Google Cloud credentials that can be used: File {path} is not a" in found.what
    assert LOGIN in found.fix


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize(
    ("bundle", "said"),
    [
        ("/nowhere/ca.pem", "No such file or directory"),
        (__file__, "NO_CERTIFICATE_OR_CRL_FOUND"),
        (UNREADABLE, "Input/output error"),
    ],
)
def test_certificates_that_cannot_be_read(variable, bundle, said, bare, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "")
    monkeypatch.setenv(variable, bundle)
    found = fault()
    assert f"{variable} names {bundle}, from which no certificates can be read: " in found.what
    assert said in found.what
    assert f"unset {variable}" in found.fix


def test_certificates_that_can_be_read(monkeypatch):
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    for bundle in (certifi.where(), ssl.get_default_verify_paths().openssl_capath, ""):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
        check_certificates()


def test_certificates_are_not_looked_at_without_encryption(gcs, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    gcs.bucket("bucket")
    connect("gs://bucket/x")
