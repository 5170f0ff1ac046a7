"""The connection: what it asks first, what it tries again, and what it says when it cannot."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.contract.errors import UserError
from pipelines.engines.kubeflow.api.api_faults import AlreadyExistsError, ReplyLostError
from pipelines.engines.kubeflow.api.connection import Connection, equals
from pipelines.engines.kubeflow.api.identity import TOKEN_PATH
from pipelines.stores.retrying import RetryPolicy
from tests.servers.kfp.server import KfpServer

HASTY = RetryPolicy(deadline_s=0.5, connect_s=0.5, read_s=0.5, wait_s=0.02)


@pytest.fixture
def server() -> Iterator[KfpServer]:
    with KfpServer() as server:
        yield server


def body(name: str) -> object:
    import kfp_server_api as api

    return api.V2beta1Experiment(display_name=name)


def test_a_host_is_needed_and_can_come_from_the_environment(
    server: KfpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KF_PIPELINES_ENDPOINT", raising=False)
    with pytest.raises(UserError, match="nothing says where") as caught:
        Connection(None)
    assert "--host https://HOST/pipeline" in caught.value.fix
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", server.url + "/")
    assert Connection(None).host == server.url


@pytest.mark.parametrize(
    "host",
    [
        *("kubeflow.example.org", "ftp://x", "https://", "https://h?x=1"),
        *("http://[::1", "http://h:99999", "http://h:x", "http://a b"),
    ],
)
def test_what_is_no_address_is_said(host: str) -> None:
    with pytest.raises(UserError, match="is no address"):
        Connection(host)


def test_an_unreachable_host_is_said_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    began = time.monotonic()
    with pytest.raises(UserError, match="could not be reached until the deadline") as caught:
        Connection(f"http://127.0.0.1:{port}", policy=HASTY)
    assert time.monotonic() - began < 5
    assert "port-forward" in caught.value.fix


@pytest.mark.parametrize("api", ["v1beta1", "page"])
def test_an_older_api_and_a_page_for_people_are_said(api: str) -> None:
    with (
        KfpServer(api=api) as server,
        pytest.raises(UserError, match="not as the API v2beta1") as caught,
    ):
        Connection(server.url)
    assert "healthz" in caught.value.fix


def test_being_led_to_a_login_is_not_to_be_known() -> None:
    with (
        KfpServer(api="login") as server,
        pytest.raises(UserError, match=r"does not know who asks .no token was sent.") as caught,
    ):
        Connection(server.url)
    assert TOKEN_PATH in caught.value.fix


def test_namespaces_where_they_are_and_where_they_are_not(server: KfpServer) -> None:
    with pytest.raises(UserError, match="one user, which has no namespaces"):
        Connection(server.url, "mine")
    with KfpServer(namespaces=["mine"]) as several:
        with pytest.raises(UserError, match="several users") as caught:
            Connection(several.url)
        assert "--namespace" in caught.value.fix
        connection = Connection(several.url, "theirs")
        with pytest.raises(UserError, match="forbids it in the namespace theirs") as caught:
            connection.ask(connection.runs.run_service_list_runs, namespace="theirs")
        assert "contributor" in caught.value.fix


def test_the_token_is_read_before_each_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    monkeypatch.setenv(TOKEN_PATH, str(token))
    with KfpServer(token="first") as server:
        connection = Connection(server.url)
        server.token = "second"
        with pytest.raises(UserError, match="does not know who asks") as caught:
            connection.ask(connection.runs.run_service_list_runs)
        assert str(token) in caught.value.what
        assert TOKEN_PATH in caught.value.fix
        token.write_text("second")
        connection.ask(connection.runs.run_service_list_runs)
        token.unlink()
        with pytest.raises(UserError, match="cannot be read"):
            connection.ask(connection.runs.run_service_list_runs)


@pytest.mark.parametrize("kind", ["429", "500", "503", "reset"])
def test_what_may_pass_is_tried_again_until_it_passes(server: KfpServer, kind: str) -> None:
    connection = Connection(server.url, policy=HASTY)
    server.plan("list_runs", kind, kind)
    connection.ask(connection.runs.run_service_list_runs)
    assert server.requests["list_runs"] == 3


@pytest.mark.parametrize(
    ("kind", "said"),
    [("429", "a quota is exhausted"), ("500", "fails .500."), ("reset", "reached")],
)
def test_what_does_not_pass_is_said_at_the_deadline(
    server: KfpServer, kind: str, said: str
) -> None:
    connection = Connection(server.url, policy=HASTY)
    server.always("list_runs", kind)
    began = time.monotonic()
    with pytest.raises(UserError, match=said):
        connection.ask(connection.runs.run_service_list_runs)
    assert 0.4 < time.monotonic() - began < 5


@pytest.mark.parametrize("kind", ["401", "403"])
def test_what_cannot_pass_is_not_tried_again(server: KfpServer, kind: str) -> None:
    connection = Connection(server.url, policy=HASTY)
    server.always("list_runs", kind)
    with pytest.raises(UserError):
        connection.ask(connection.runs.run_service_list_runs)
    assert server.requests["list_runs"] == 1


def test_an_order_is_given_once(server: KfpServer) -> None:
    connection = Connection(server.url, policy=HASTY)
    create = connection.experiments.experiment_service_create_experiment
    server.plan("create_experiment", "lost")
    with pytest.raises(ReplyLostError):
        connection.order(create, body("a"))
    assert server.requests["create_experiment"] == 1
    with pytest.raises(AlreadyExistsError):
        connection.order(create, body("a"))


def test_all_pages_are_read_and_filters_hold(server: KfpServer) -> None:
    connection = Connection(server.url)
    for index in range(205):
        server.backend.create_experiment({"display_name": f"e{index}"})
    listing = connection.experiments.experiment_service_list_experiments
    found = [item.display_name for item in connection.all(listing, "experiments")]
    assert found == [f"e{index}" for index in range(205)]
    named = connection.all(listing, "experiments", filter=equals("display_name", "e7"))
    assert [item.display_name for item in named] == ["e7"]
