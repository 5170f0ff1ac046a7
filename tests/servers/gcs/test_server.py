"""The storage server that other tests rely on conforms, and the one of the package index does not.

Where ``SLIMLINE_TEST_BUCKET`` names a bucket, the same checks run against Google's service, with
the credentials of the machine, below a prefix of their own that is removed afterwards.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.servers.gcs.conformance import CHECKS, PRECONDITIONS, Check, Place, client_of
from tests.servers.gcs.faults import FAULTS, Faults
from tests.servers.gcs.server import GcsServer

HERE = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def server() -> Iterator[GcsServer]:
    with GcsServer() as server:
        server.bucket("conformance")
        yield server


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_this_server_conforms(server: GcsServer, check: Check) -> None:
    check(Place(client_of(server.url).bucket("conformance"), f"{check.__name__}/"))


def test_the_service_conforms() -> None:
    name = os.environ.get("SLIMLINE_TEST_BUCKET")
    if not name:
        pytest.skip("SLIMLINE_TEST_BUCKET names no bucket of Google's service")
    bucket = client_of(None).bucket(name)
    root = f"slimline-conformance-{secrets.token_hex(8)}/"
    try:
        for check in CHECKS:
            check(Place(bucket, f"{root}{check.__name__}/"))
    finally:
        for blob in list(bucket.client.list_blobs(bucket, prefix=root)):
            blob.delete()


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the emulator that the package index offers."""
    pytest.importorskip("gcp_storage_emulator", reason="gcp-storage-emulator is not installed")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "gcp_storage_emulator", "start", "--host=127.0.0.1"]
    process = subprocess.Popen(
        [*command, f"--port={port}", "--in-memory", "--default-bucket=conformance", "--quiet"],
        cwd=tmp_path_factory.mktemp("emulator"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("check", PRECONDITIONS, ids=lambda check: check.__name__)
def test_the_emulator_of_the_package_index_does_not(emulator: str, check: Check) -> None:
    place = Place(client_of(emulator).bucket("conformance"), f"{check.__name__}/")
    place.put("reachable", b"yes")
    assert place.get("reachable") == b"yes"
    # It lets every writer win: a test of exactly-once that passes on it proves nothing.
    with pytest.raises(AssertionError, match=r"the precondition was ignored|of 20 creators won"):
        check(place)


def test_every_fault_is_met(server: GcsServer) -> None:
    url = f"{server.url}/storage/v1/b/conformance/o"
    media = {"alt": "media"}
    upload = f"{server.url}/upload/storage/v1/b/conformance/o?uploadType=media&name=fault"
    requests.post(upload, data=b"0123456789", timeout=5)
    server.faults.stall_s = 0.05
    for kind in FAULTS["download"]:
        server.faults.plan("download", kind)
        try:
            answer = requests.get(f"{url}/fault", params=media, timeout=5)
        except requests.ConnectionError:
            assert kind in ("reset", "stall")
        except requests.exceptions.ChunkedEncodingError:
            assert kind == "truncated"
        else:
            assert (kind, answer.status_code, answer.content == b"0123456789") in (
                ("429", 429, False),
                ("503", 503, False),
                ("corrupted", 200, False),
            )
    for kind, there in (("truncated", False), ("lost", True)):
        server.faults.plan("upload", kind)
        name = f"{upload}-{kind}"
        with pytest.raises(requests.ConnectionError):
            requests.post(name, data=bytes(1 << 20), timeout=5)
        found = requests.get(f"{url}/fault-{kind}", timeout=5).status_code
        assert found == (200 if there else 404)
    assert requests.get(f"{url}/fault", params=media, timeout=5).content == b"0123456789"


def test_random_faults_repeat() -> None:
    def drawn(seed: int) -> list[str | None]:
        faults = Faults(rate=0.3, seed=seed)
        return [faults.next("download") for _ in range(200)]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    assert 30 < sum(kind is not None for kind in drawn(1)) < 90


def test_it_runs_by_itself() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "tests.servers.gcs.server",
        "--port",
        str(port),
        "--bucket",
        "alone",
    ]
    process = subprocess.Popen(command, cwd=HERE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        url = process.stdout.readline().strip()
        assert url == f"http://127.0.0.1:{port}"
        place = Place(client_of(url).bucket("alone"), "")
        place.put("a", b"1")
        assert place.names() == ["a"]
    finally:
        process.terminate()
        process.communicate()


def test_what_go_sends_empty_when_it_lists_counts_as_absent(server: GcsServer) -> None:
    for name in ("go/a", "go/b/c"):
        server.storage.write("conformance", name, b"x", {}, {})
    empty = dict.fromkeys(("delimiter", "endOffset", "startOffset", "pageToken", "maxResults"), "")
    listed = requests.get(
        f"{server.url}/storage/v1/b/conformance/o", {"prefix": "go/", **empty}, timeout=5
    ).json()
    assert [item["name"] for item in listed["items"]] == ["go/a", "go/b/c"]
    assert "nextPageToken" not in listed


def test_objects_are_read_by_the_xml_api(server: GcsServer) -> None:
    server.storage.write("conformance", "go/a b", b"0123456789", {}, {})
    address = f"{server.url}/conformance/go/a%20b"
    whole = requests.get(address, timeout=5)
    assert whole.content == b"0123456789"
    assert whole.headers["X-Goog-Generation"]
    part = requests.get(address, headers={"Range": "bytes=2-4"}, timeout=5)
    assert (part.status_code, part.content) == (206, b"234")
    asked = requests.head(address, timeout=5)
    assert (asked.content, asked.headers["Content-Length"]) == (b"", "10")
    for place in ("conformance/go/none", "none/go/a"):
        missing = requests.get(f"{server.url}/{place}", timeout=5)
        assert (missing.status_code, "<Code>NoSuch" in missing.text) == (404, True)
        assert requests.head(f"{server.url}/{place}", timeout=5).status_code == 404
