"""Networks for verification: any image size, the right width, and nothing that compression refuses."""

import json

import numpy as np
import pytest

from components.contract.errors import UserError
from components.distill import STUDENT
from components.ml.networks import architecture, backbones
from components.ml.networks.fitting_network import check_network, without_idle
from components.ml.networks.mobilenet_v2 import mobilenet_v2
from components.ml.runtime import configure, tf_keras
from components.ml.settings import Network


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


PUBLISHED = {
    "mobilenet_v1": 4_231_976,  # arXiv:1704.04861: 4.2 million
    "efficientnet_b0": 5_288_548,  # arXiv:1905.11946: 5.3 million
    "efficientnet_lite0": 4_652_008,  # the publication's table: 4.7 and 13.0 million
    "efficientnet_lite4": 13_006_568,
}
"""What the papers' classifiers of 1,000 classes train."""
BACKBONES_ALONE = {"mobilenet_v3_small": 939_120, "mobilenet_v3_large": 2_996_352}
"""Of keras.applications without its head, which in the paper has a layer more."""
CHARACTERS = {(24, 48, 64, 64): (64, 79_912), (16, 32, 48, 48): (64, 42_912),
              (12, 24, 32, 32): (48, 20_724)}  # fmt: skip
"""Embedding and parameters of nets that were measured on Omniglot in another framework."""


def trained(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


@pytest.mark.parametrize("backbone", [*PUBLISHED, *BACKBONES_ALONE])
def test_parameters_are_those_published(backbone):
    model = backbones.with_head(backbone, (64, 64, 3), "scores", 1000)
    if backbone in PUBLISHED:
        assert trained(model) == PUBLISHED[backbone]
    else:
        assert model.count_params() - model.layers[-1].count_params() == BACKBONES_ALONE[backbone]
    assert architecture.checked(json.loads(model.to_json()), "test")


def test_mobilefacenet_has_a_million_parameters_and_weighs_each_place():
    model = backbones.with_head("mobilefacenet", (112, 112, 3), "embedding", 128)
    assert 0.98e6 < trained(model) < 1.03e6  # arXiv:1804.07573: 0.99 million
    assert model.get_layer("places").depthwise_kernel.shape == (7, 7, 512, 1)


@pytest.mark.parametrize("widths", list(CHARACTERS))
def test_nets_of_given_widths_are_those_that_were_measured(widths):
    size, parameters = CHARACTERS[widths]
    model = backbones.with_head(
        "conv", (32, 32, 1), "embedding", size,
        widths=list(widths), head="depthwise", embedding_norm=True,
    )  # fmt: skip
    assert trained(model) == parameters
    assert model.layers[-1].name == "embedding"


RESIDUAL = {35_368: (64, [8, 16, 32, 48], [0, 1, 1, 0]),
            152_944: (128, [16, 32, 64, 64], [0, 1, 1, 1]),
            336_552: (128, [24, 48, 96, 96], [0, 1, 1, 1])}  # fmt: skip
"""Embedding, widths and residual convolutions by parameters: nets measured in another framework."""


@pytest.mark.parametrize("parameters", list(RESIDUAL))
def test_residual_nets_at_full_resolution_are_those_that_were_measured(parameters):
    size, widths, residuals = RESIDUAL[parameters]
    model = backbones.with_head(
        "conv", (32, 32, 1), "embedding", size, widths=widths, residuals=residuals,
        stem="full", head="depthwise", embedding_norm=True,
    )  # fmt: skip
    assert trained(model) == parameters
    assert model.get_layer("block1_conv").output_shape[1:3] == (32, 32)
    assert model.get_layer("block4_conv").output_shape[1:3] == (4, 4)
    assert architecture.checked(json.loads(model.to_json()), "test")


def test_a_residual_convolution_adds_to_what_it_reads():
    model = backbones.with_head(
        "conv", (8, 8, 1), "embedding", 4, widths=[4, 8], residuals=[0, 1], stem="full"
    )
    model.get_layer("block2_residual1_conv").set_weights([np.zeros((3, 3, 8, 8), np.float32)])
    images = np.random.default_rng(0).normal(size=(2, 8, 8, 1)).astype(np.float32)
    before, after = (
        tf_keras.Model(model.inputs, model.get_layer(name).output)(images).numpy()
        for name in ("block2_relu", "block2_residual1_relu")
    )
    assert before.any()
    np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize(("alpha", "shape"), [(0.35, (56, 46, 1)), (1.3, (32, 32, 3))])
def test_mobilenet_v2_is_that_of_keras_weight_by_weight(alpha, shape):
    """So that published weights fit, and what was trained before stays as it was."""
    told, weights = [], []
    for own in (True, False):
        tf_keras.utils.set_random_seed(3)
        image = tf_keras.Input(shape, name="image")
        if own:
            last = mobilenet_v2(image, alpha=alpha)
        else:
            last = tf_keras.applications.MobileNetV2(
                include_top=False, weights=None, input_tensor=image, alpha=alpha
            ).output
        model = tf_keras.Model(image, last, name="same")
        told.append(model.to_json())
        weights.append(model.get_weights())
    assert told[0] == told[1]
    assert all(np.array_equal(one, other) for one, other in zip(*weights, strict=True))


def test_depth_and_expansion_are_followed():
    plain, deep, thin = (
        backbones.with_head("mobilenet_v2", (32, 32, 1), "embedding", 8, alpha=0.35, **given)
        for given in ({}, {"depth": 2.0}, {"expansion": 3.0})
    )
    assert len(deep.layers) > 1.8 * len(plain.layers)
    assert plain.get_layer("block_2_expand").filters == 2 * thin.get_layer("block_2_expand").filters
    convolutions = backbones.with_head("conv", (8, 8, 1), "embedding", 8, depth=2.0)
    assert convolutions.get_layer("block1_2_conv").strides == (1, 1)


def test_convolutions_of_one_pixel_become_dense_and_compute_the_same():
    given = {"alpha": 0.25, "depth": 0.2}
    conv = backbones.with_head("mobilenet_v1", (16, 16, 1), "embedding", 8, **given)
    dense = backbones.with_head(
        "mobilenet_v1", (16, 16, 1), "embedding", 8, pointwise="dense", **given
    )
    kinds = [type(layer).__name__ for layer in dense.layers]
    assert kinds.count("Dense") == 1 + 5
    assert kinds.count("Conv2D") == 1
    dense.set_weights(
        [old.reshape(new.shape) for old, new in zip(conv.get_weights(), dense.get_weights(), strict=True)]
    )  # fmt: skip
    images = np.random.default_rng(0).normal(size=(3, 16, 16, 1)).astype(np.float32)
    np.testing.assert_allclose(conv(images).numpy(), dense(images).numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "side", "seen", "kinds"),
    [
        ((32, 24, 1), 12, (16, 12), ["AveragePooling2D"]),
        ((32, 32, 1), 20, (20, 20), ["Resizing"]),
        ((105, 105, 1), 28, (28, 28), ["AveragePooling2D", "Resizing"]),
        ((8, 8, 1), 8, (8, 8), []),
    ],
)
def test_a_resolution_below_the_images_is_made_in_the_network(shape, side, seen, kinds):
    model = backbones.with_head("conv", shape, "embedding", 8, alpha=0.25, resolution=side)
    assert model.input_shape[1:] == shape
    names = [type(layer).__name__ for layer in model.layers]
    assert [name for name in names if name in ("AveragePooling2D", "Resizing")] == kinds
    assert model.get_layer("block1_conv").input_shape[1:3] == seen


@pytest.mark.parametrize(
    ("shape", "numbers"),
    [((8, 8, 1), 64), ((32, 32, 1), 1024), ((56, 46, 1), 28 * 23), ((224, 224, 3), 18 * 18 * 3)],
)
def test_a_linear_map_looks_at_a_thousand_numbers_at_most(shape, numbers):
    model = backbones.with_head("linear", shape, "embedding", 8)
    assert model.get_layer("flat").output_shape[1] == numbers
    assert model.count_params() == (numbers + 1) * 8


@pytest.mark.parametrize("backbone", ["conv", "mobilenet_v2", "mobilenet_v3_small"])
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
    with pytest.raises(UserError, match=r"alpha is 0.5 and means nothing for backbone resnet50"):
        backbones.with_head("resnet50", (32, 32, 1), "embedding", 8, alpha=0.5)
    with pytest.raises(UserError, match=r"nothing for widths \[8\]\n  fix: .*set widths: null"):
        backbones.with_head("conv", (8, 8, 1), "embedding", 8, alpha=0.5, widths=[8])
    with pytest.raises(UserError, match="set resolution to 8 or below"):
        backbones.with_head("conv", (8, 8, 1), "embedding", 8, resolution=9)
    backbones.with_head("conv", (8, 8, 1), "embedding", 8, resolution=8)  # the fix
    given = {"widths": [4, 8], "residuals": [1]}
    with pytest.raises(UserError, match=r"one number for each block .*\n  fix: .*\[1, 0\]"):
        backbones.with_head("conv", (8, 8, 1), "embedding", 8, **given)
    backbones.with_head("conv", (8, 8, 1), "embedding", 8, widths=[4, 8], residuals=[1, 0])
    with pytest.raises(UserError, match="stem is full and is about blocks"):
        backbones.with_head("conv", (8, 8, 1), "embedding", 8, stem="full")
    with pytest.raises(UserError, match="too small"):
        backbones.with_head("conv", (3, 8, 1), "embedding", 8)


@pytest.mark.parametrize(
    "given", [{"backbone": "resnet50"}, {"backbone": "linear"}, {"backbone": "conv", "widths": [8]}]
)
def test_a_default_that_means_nothing_for_a_backbone_is_no_fault(given):
    """The width of a student that nobody gave, where a student of another kind is asked for."""
    network = Network(**{"alpha": STUDENT.alpha, **given})
    with pytest.raises(UserError, match=r"alpha is 0\.35"):
        check_network(network)
    found = without_idle(network, STUDENT)
    assert found == Network(**given)
    check_network(found)
    own = Network(**{**given, "alpha": 0.7})
    assert without_idle(own, STUDENT) == own, "what was given stays, and is refused"
