"""`slimline images` and the image for GPUs: built when asked for, and missed by nobody else."""

import re

import pytest

from pipelines.cli.main import main
from pipelines.images import building
from pipelines.images.building import ALL_IMAGES, IMAGES, image_name
from tests.servers.docker import built, docker_engine, lines
from tests.servers.web import Reply


class Engine:
    """A Docker Engine's client, as far as builds ask it: it notes what is to be built."""

    def __init__(self):
        self.asked = {}
        self.api = self

    def build(self, **how):
        self.asked[how["buildargs"]["IMAGE"]] = how
        return iter([{"stream": "built"}])


def test_the_image_for_gpus_is_built_of_tensorflow_with_cuda():
    engine = Engine()
    for image in ALL_IMAGES:
        list(building.build(engine, image, base="base", network=None, ca_bundle=None))
    packages = {image: how["buildargs"]["PACKAGES"].split() for image, how in engine.asked.items()}
    assert "tensorflow[and-cuda]" in packages["train-gpu"]
    assert "tensorflow" in packages["train"]
    assert not [name for name in packages["train"] if "cuda" in name or "nvidia" in name]
    environments = {how["buildargs"]["ENVIRONMENT_DIGEST"] for how in engine.asked.values()}
    assert len(environments) == len(ALL_IMAGES)


@pytest.fixture
def three(monkeypatch):
    """A Docker Engine that has all images but the one for GPUs."""
    answers = {f"GET /images/{image_name(image)}/json": built(image) for image in IMAGES}
    with docker_engine({**answers, "GET /images/json": Reply.of([])}) as host:
        monkeypatch.setenv("DOCKER_HOST", host)
        yield


def test_nobody_misses_it_who_has_no_gpu(three, capsys):
    assert main(["images", "list"]) == 0
    listed = capsys.readouterr().out
    assert re.search(r"slimline/train-gpu:\S+ +not built, for steps with a GPU alone", listed)


def test_who_pushes_it_is_told_how_it_is_built(three, capsys):
    assert main(["images", "push", "registry.example/me", "train-gpu"]) == 2
    assert "fix: slimline images build --gpu" in capsys.readouterr().err


def test_it_is_named_with_the_others(three, capsys):
    assert main(["images", "push", "registry.example/me", "train-gpus"]) == 2
    assert "did you mean 'train-gpu'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ([], ["train", "device", "light"]),
        (["--gpu"], ["train", "device", "light", "train-gpu"]),
        (["light"], ["light"]),
        (["train-gpu"], ["train-gpu"]),
        (["light", "--gpu"], ["light", "train-gpu"]),
    ],
)
def test_which_are_built(given, names, monkeypatch, capsys):
    answers = {f"GET /images/{image_name(image)}/json": built(image) for image in ALL_IMAGES}
    with docker_engine({**answers, "POST /build": lines({"stream": "built"})}) as host:
        monkeypatch.setenv("DOCKER_HOST", host)
        assert main(["images", "build", *given]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in printed] == [f"slimline/{name}" for name in names]
