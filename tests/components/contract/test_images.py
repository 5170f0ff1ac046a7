"""What images are made of, held against what TensorFlow says of itself."""

from importlib import metadata
from importlib.metadata import requires, version

import pytest
from packaging.requirements import Requirement

from components import COMPONENTS
from components.contract import images
from components.contract.errors import UserError
from components.contract.images import CUDA, GPU_IMAGE, PACKAGES, TRAINING, component_environment
from components.contract.interface import interface_of
from pipelines.images.building import image_environment_content, requirements


def test_the_image_with_a_gpu_has_what_tensorflow_wants_for_one():
    wanted = [Requirement(text) for text in requires("tensorflow") if "and-cuda" in text]
    assert sorted(item.name for item in wanted) == sorted(CUDA)
    pins = image_environment_content(GPU_IMAGE)["packages"]
    for item in wanted:
        assert item.specifier.contains(pins[item.name]), (item, pins[item.name])
    assert pins["tensorflow"] == version("tensorflow") == image_packages("train")["tensorflow"]


def image_packages(image):
    return image_environment_content(image)["packages"]


def test_apart_from_cuda_it_is_the_image_without():
    assert set(PACKAGES[GPU_IMAGE]) == {*PACKAGES["train"], *CUDA}
    both = set(requirements("train")) ^ set(requirements(GPU_IMAGE))
    assert both == {"tensorflow", "tensorflow[and-cuda]"}
    assert "optuna" in requirements(GPU_IMAGE), "the search trains, too"


def test_what_trains_by_epochs_may_have_a_gpu():
    """A list, since a mark in the components would be part of their code's digest."""
    by_epochs = {
        name
        for name in COMPONENTS
        if "epochs" in {parameter.name for parameter in interface_of(name).parameters}
    }
    assert by_epochs | {"search"} == set(TRAINING)
    assert {interface_of(name).image for name in TRAINING} == {"train"}


def test_packages_that_are_not_here_are_said_with_the_way_to_get_them(monkeypatch):
    def without_cuda(name):
        if name in CUDA:
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(images.metadata, "version", without_cuda)
    images.versions.cache_clear()
    with pytest.raises(UserError, match=r"nvidia-.* is not installed") as caught:
        component_environment("train", GPU_IMAGE)
    assert "pip install -c constraints.txt 'tensorflow[and-cuda]'" in caught.value.fix
    assert "remove gpu from their limits" in caught.value.fix
    assert component_environment("train", "train") == component_environment("train")
