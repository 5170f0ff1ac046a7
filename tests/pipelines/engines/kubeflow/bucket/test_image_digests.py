"""Images are named by digests that a registry gave; what the local Docker Engine calls them is none."""

import pytest

from components.contract.errors import UserError
from pipelines.config.kubeflow import Kubeflow
from pipelines.engines.kubeflow.bucket.image_digests import references
from pipelines.images.building import find, image_name
from pipelines.images.daemon import connect
from tests.pipelines.engines.kubeflow.graphs import REFERENCES, SETTINGS
from tests.servers.docker import docker_engine, refused


def settings(images):
    return Kubeflow.model_validate(SETTINGS | {"images": images})


def test_digests_are_taken_as_given_where_no_docker_engine_answers(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    assert references(settings(REFERENCES)) == REFERENCES


def test_a_registry_alone_needs_the_docker_engine_that_pushed_to_it(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    with pytest.raises(UserError, match="no Docker Engine answers"):
        references(settings("registry.example/slimline"))


@pytest.mark.parametrize("images", [REFERENCES, "registry.example/slimline"])
def test_a_docker_engine_that_fails_is_said(images, monkeypatch):
    failed = refused(500, "layer does not exist")
    name = image_name("train")
    with docker_engine({"GET /images/json": failed, f"GET /images/{name}/json": failed}) as host:
        monkeypatch.setenv("DOCKER_HOST", host)
        with pytest.raises(UserError, match=r"cannot be looked up: .* layer does not") as caught:
            references(settings(images))
    assert "docker info" in caught.value.fix


@pytest.mark.containers
def test_what_was_never_pushed_there_is_refused_with_the_command():
    with pytest.raises(UserError, match=r"was not pushed to registry.example/me") as caught:
        references(settings("registry.example/me"))
    assert caught.value.fix == "slimline images push registry.example/me"


@pytest.mark.containers
def test_a_digest_of_the_local_engine_is_refused():
    local = find(connect(), "train").digest
    images = REFERENCES | {"train": f"registry.example/me/train@{local}"}
    with pytest.raises(UserError, match="what the Docker Engine of this machine calls") as caught:
        references(settings(images))
    assert "slimline images push registry.example/me, and" in caught.value.fix
    assert references(settings(REFERENCES)) == REFERENCES
