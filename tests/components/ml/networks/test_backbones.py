"""Networks for verification: any image size, the right width, and nothing that compression refuses."""

import json

import numpy as np
import pytest

from components.contract.errors import UserError
from components.ml.networks import architecture, backbones
from components.ml.runtime import configure, tf_keras


@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (4, 5, 3), (56, 46, 1), (112, 92, 3)])
def test_conv_takes_any_size_and_stays_shallow(shape):
    model = backbones.with_head("conv", shape, "embedding", 16)
    assert model.output_shape == (None, 16)
    convolutions = [layer for layer in model.layers if isinstance(layer, tf_keras.layers.Conv2D)]
    assert 2 <= len(convolutions) <= 7
    assert model(np.zeros((2, *shape), np.float32)).shape == (2, 16)


def test_conv_follows_alpha():
    half, one, double = (
        backbones.with_head("conv", (8, 8, 1), "embedding", 16, alpha=alpha).count_params()
        for alpha in (0.5, 1.0, 2.0)
    )
    assert half < one / 3
    assert one < double / 3


def test_the_large_backbone_is_a_whole_resnet50():
    model = backbones.with_head("resnet50", (32, 32, 1), "embedding", 128)
    head = 2048 * 128 + 128
    # 23.59 million with colour; a grey first convolution has 2 x 7 x 7 x 64 fewer.
    assert model.count_params() - head == 23_587_712 - 2 * 7 * 7 * 64
    momenta = {
        layer.momentum
        for layer in model.layers
        if isinstance(layer, tf_keras.layers.BatchNormalization)
    }
    assert momenta == {0.9}


def test_mobilenet_v2_follows_alpha_and_takes_dropout():
    model = backbones.with_head(
        "mobilenet_v2", (32, 24, 1), "scores", 5,
        alpha=0.35, dropout=0.2, batch_norm_momentum=0.8,
    )  # fmt: skip
    assert model.count_params() < 500_000
    assert model.get_layer("dropout").rate == 0.2
    assert model.get_layer("bn_Conv1").momentum == 0.8
    assert model.layers[-1].name == "scores"


@pytest.mark.parametrize("backbone", ["conv", "mobilenet_v2"])
def test_an_architecture_does_not_tell_what_its_process_built_before(backbone):
    texts = []
    for earlier in (0, 3):
        configure(2, 0)
        for _ in range(earlier):
            tf_keras.Sequential([tf_keras.layers.Input((4,)), tf_keras.layers.Dense(2)])
        texts.append(backbones.with_head(backbone, (8, 8, 1), "embedding", 4).to_json())
    assert texts[0] == texts[1]
    assert architecture.checked(json.loads(texts[0]), "test")


def test_what_cannot_be_built_is_said():
    with pytest.raises(UserError, match="one width"):
        backbones.with_head("resnet50", (32, 32, 1), "embedding", 8, alpha=0.5)
    with pytest.raises(UserError, match="too small"):
        backbones.with_head("conv", (3, 8, 1), "embedding", 8)
