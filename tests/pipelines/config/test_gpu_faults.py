"""A GPU is asked for where something computes on it."""

import pytest

from components.contract.errors import UserError
from pipelines.compress import graph_of
from pipelines.config.sections import LINEAR
from tests.pipelines.engines.kubeflow.graphs import SETTINGS, config_of

ACCELERATED = SETTINGS | {"resources": {"train": {"accelerator": "nvidia.com/gpu"}}}


@pytest.mark.parametrize(
    ("changes", "what", "fix", "fixed"),
    [
        (
            {"limits": {"convert": {"gpu": 1}}},
            "limits.convert.gpu: convert trains nothing",
            "remove gpu there; a GPU speeds up train, distill, prune",
            {"limits": {}},
        ),
        (
            {"kubeflow": ACCELERATED},
            "kubeflow.resources.train.accelerator: train steps compute on the CPU",
            "write limits: {train: {gpu: 1}}",
            {"limits": {"train": {"gpu": 1}}},
        ),
        (
            {"kubeflow": SETTINGS | {"resources": {"ingest": {"accelerator": "a/b"}}}},
            "kubeflow.resources.ingest.accelerator",
            "remove accelerator; a GPU speeds up",
            {"kubeflow": SETTINGS},
        ),
    ],
)
def test_one_that_would_be_idle_is_refused(changes, what, fix, fixed, tmp_path):
    with pytest.raises(UserError, match=what) as caught:
        config_of(tmp_path, **changes)
    assert fix in caught.value.fix
    config_of(tmp_path, **changes | fixed)


@pytest.mark.parametrize("gpus", [2, -1, 0.5])
def test_more_than_one_is_refused(gpus, tmp_path):
    with pytest.raises(UserError, match=r"limits.train.gpu: must be"):
        config_of(tmp_path, limits={"train": {"gpu": gpus}})


def test_steps_that_train_have_one_and_a_linear_map_does_not(tmp_path):
    limits = {"train": {"gpu": 1}, "distill": {"gpu": 1}}
    config = config_of(tmp_path, limits=limits, baseline="linear")
    images = {step.name: step.image for step in graph_of(config).steps}
    assert images["train"] == "train-gpu"
    assert images[f"train-{LINEAR}"] == images["ingest"] == "train"
    distill = next(image for name, image in images.items() if name.startswith("distill"))
    assert distill == "train-gpu"


def test_without_one_a_configuration_and_its_graph_are_known_as_before(tmp_path):
    limits = {"train": {"minutes": 5}}
    with_zero = config_of(tmp_path, limits={"train": {"minutes": 5, "gpu": 0}})
    config = config_of(tmp_path, limits=limits)
    assert config.digest == with_zero.digest
    assert config.content["limits"] == {"train": {"memory_gb": None, "minutes": 5.0}}
    assert "gpu" not in str(graph_of(config).content)
    on_gpu = config_of(tmp_path, limits={"train": {"minutes": 5, "gpu": 1}})
    assert on_gpu.digest != config.digest
    graph = graph_of(on_gpu)
    assert graph.digest != graph_of(config).digest
    assert type(graph).from_json(graph.to_json()) == graph
