"""What the Docker Engine refuses, and its silence, in words and with a way out."""

import pytest

from components.contract.errors import UserError
from pipelines.images.daemon import connect, daemon_faults
from tests.servers.docker import docker_engine, lines, refused


def fault_of(answers, ask, monkeypatch):
    with docker_engine(answers) as host:
        monkeypatch.setenv("DOCKER_HOST", host)
        with pytest.raises(UserError) as caught, daemon_faults("train cannot run"):
            ask(connect())
    return caught.value


def create(client):
    client.containers.create("sha256:1")


@pytest.mark.parametrize(
    ("status", "message", "fix"),
    [
        (404, "No such image: sha256:1", "slimline images build, then run again"),
        (400, "invalid mount: bind source path does not exist: /x", "sees other files"),
        (500, "write /var/lib/docker/x: no space left on device", "docker system prune"),
        (500, "something else", "journalctl -u docker"),
    ],
)
def test_what_it_refuses_has_a_fix(status, message, fix, monkeypatch):
    fault = fault_of({"POST /containers/create": refused(status, message)}, create, monkeypatch)
    assert fault.what == f"train cannot run: the Docker Engine says: {message}"
    assert fix in fault.fix


def test_an_answer_that_breaks_off_is_said(monkeypatch):
    answers = {"POST /images/me/push": lines({"status": "Pushing"}, cut=True)}

    def push(client):
        for _ in client.images.push("me", stream=True, decode=True):
            pass

    fault = fault_of(answers, push, monkeypatch)
    assert "train cannot run: the Docker Engine at tcp://127.0.0.1:" in fault.what
    assert "answers no more" in fault.what
    assert "sudo systemctl start docker" in fault.fix


@pytest.mark.parametrize("host", ["tcp://127.0.0.1:9", "tcp://127.0.0.1:x", "nowhere://x"])
def test_where_no_docker_engine_answers(host, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(UserError, match=f"no Docker Engine answers at {host}") as caught:
        connect()
    assert "set DOCKER_HOST" in caught.value.fix
