"""Pods of steps with a GPU: the image, the device, and what makes a step refuse to idle."""

import pytest
import yaml

from components.contract.errors import UserError
from pipelines.compress import graph_of
from pipelines.engines.kubeflow.bucket.image_digests import images_of
from pipelines.engines.kubeflow.ir.preflight import check
from tests.pipelines.engines.kubeflow.graphs import (
    ON_GPU,
    REFERENCES,
    SETTINGS,
    compile_config,
    config_of,
)


def containers(config):
    pipeline = next(iter(yaml.safe_load_all(compile_config(config).text)))
    executors = pipeline["deploymentSpec"]["executors"].values()
    return [executor["container"] for executor in executors if "container" in executor]


def test_a_training_with_a_gpu_chooses_its_image_by_itself(tmp_path):
    made = containers(config_of(tmp_path, limits=ON_GPU))
    (training,) = (one for one in made if one["image"] == REFERENCES["train-gpu"])
    assert training["args"][:3] == ["train", "--gpu", "0"]
    assert training["resources"]["accelerator"] == {
        "type": "nvidia.com/gpu", "count": "1",
        "resourceType": "nvidia.com/gpu", "resourceCount": "1",
    }  # fmt: skip
    others = [one for one in made if one is not training]
    assert not any("accelerator" in one["resources"] or "--gpu" in one["args"] for one in others)


def test_without_limits_nothing_is_said_of_gpus(tmp_path):
    made = containers(config_of(tmp_path))
    assert REFERENCES["train-gpu"] not in {one["image"] for one in made}
    assert images_of(graph_of(config_of(tmp_path))) == ("train", "device", "light")
    assert images_of(graph_of(config_of(tmp_path, limits=ON_GPU)))[-1] == "train-gpu"


def test_its_image_is_asked_for_only_where_it_is_needed(tmp_path):
    three = {image: name for image, name in REFERENCES.items() if image != "train-gpu"}
    settings = SETTINGS | {"images": three}
    config = config_of(tmp_path, kubeflow=settings)
    check(config, graph_of(config))
    config = config_of(tmp_path, kubeflow=settings, limits=ON_GPU)
    with pytest.raises(UserError, match="train was given a GPU, and there is no image") as caught:
        check(config, graph_of(config))
    assert "slimline images push REGISTRY train-gpu" in caught.value.fix
    config = config_of(tmp_path, limits=ON_GPU)
    check(config, graph_of(config))
