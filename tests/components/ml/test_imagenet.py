"""Weights trained on ImageNet: the same addresses and hashes as those of the framework itself."""

import pytest

from components.ml import imagenet
from components.ml.runtime import tf_keras


class AskedError(Exception):
    """The framework asks for a file."""


@pytest.fixture
def asked(monkeypatch):
    """What ``keras.applications`` asks for: name, address and hash."""
    from tf_keras.src.utils import data_utils

    def get_file(name, origin, file_hash="", **_):
        raise AskedError(imagenet.Published(name, origin, file_hash))

    monkeypatch.setattr(data_utils, "get_file", get_file)

    def ask(model, **arguments):
        with pytest.raises(AskedError) as caught:
            model(include_top=False, weights="imagenet", **arguments)
        return caught.value.args[0]

    return ask


@pytest.mark.parametrize("alpha", [0.35, 1.0, 1.4])
@pytest.mark.parametrize("size", [(96, 96), (224, 224), (96, 128), (50, 50)])
def test_mobilenet_v2_is_the_file_of_the_framework(alpha, size, asked):
    wanted = asked(tf_keras.applications.MobileNetV2, alpha=alpha, input_shape=(*size, 3))
    assert imagenet.published(imagenet.file_for("mobilenet_v2", alpha, *size)) == wanted


def test_every_width_is_one_of_the_framework(asked):
    for alpha in imagenet.ALPHAS:
        asked(tf_keras.applications.MobileNetV2, alpha=alpha, input_shape=(96, 96, 3))
    with pytest.raises(ValueError, match="alpha must be one of"):
        tf_keras.applications.MobileNetV2(
            alpha=0.6, include_top=False, weights="imagenet", input_shape=(96, 96, 3)
        )


def test_resnet50_is_the_file_of_the_framework_with_its_hash(asked):
    wanted = asked(tf_keras.applications.ResNet50, input_shape=(64, 64, 3))
    assert imagenet.published(imagenet.file_for("resnet50", 1.0, 64, 64)) == wanted
    assert len(wanted.md5) == 32
