import json

import numpy as np
import pytest

from tests.data import small_networks


def folded(model):
    """Fold, and build the result again as every later step does."""
    from components.ml.graphs.folding import fold
    from components.ml.networks import architecture

    result = fold(model, small_networks.SHAPE)
    plain = architecture.build(json.loads(result.model.to_json()), "a test")
    plain.set_weights(result.model.get_weights())
    return result, plain


def difference(one, other) -> float:
    images = small_networks.images(8).astype(np.float32) / 127.5 - 1
    expected = one(images, training=False).numpy()
    assert np.abs(expected).max() > 1e-2
    return np.abs(other(images, training=False).numpy() - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize("name", small_networks.NETWORKS)
def test_the_outputs_stay_and_the_norms_go(name):
    model = small_networks.build(name)
    before = model.get_weights()
    result, plain = folded(model)
    assert difference(model, plain) < 1e-5
    assert all(np.array_equal(*pair) for pair in zip(before, model.get_weights(), strict=True))
    norms = [layer for layer in plain.layers if type(layer).__name__ == "BatchNormalization"]
    assert sorted(layer.name for layer in norms) == sorted(result.left)
    if name not in ("shared", "joined"):
        assert not norms
        assert result.norms
    separable = [layer for layer in plain.layers if "Separable" in type(layer).__name__]
    assert not separable, "a layer with two kernels is two operators of a file"


def test_a_layer_with_two_norms_is_left_alone_and_one_that_is_shared_with_its_norm_is_not():
    result, _ = folded(small_networks.build("shared"))
    assert result.left.keys() == {"one", "two", "batch_normalization_2"}
    assert result.left["one"] == result.left["two"] == "others read twice, too"
    assert "it follows subtract, a Subtract" in result.left.values()
    assert result.norms["of_both"] == "both"


def test_models_inside_a_model_are_folded_and_sequential_ones():
    from components.ml.runtime import tf_keras

    layers = tf_keras.layers
    block = tf_keras.Sequential(
        [layers.Conv2D(4, 3), layers.BatchNormalization(), layers.ReLU()], name="block"
    )
    model = tf_keras.Sequential(
        [layers.Input(small_networks.SHAPE), block, layers.Flatten(), layers.Dense(3),
         layers.BatchNormalization()]
    )  # fmt: skip
    small_networks.scramble(model)
    result, plain = folded(model)
    assert len(result.norms) == 2
    assert difference(model, plain) < 1e-5


@pytest.mark.parametrize("fault", ["activation", "axis", "image", "two readers"])
def test_what_cannot_be_folded_is_reported(fault):
    from components.ml.runtime import tf_keras

    layers = tf_keras.layers
    image = flow = layers.Input(small_networks.SHAPE)
    if fault != "image":
        activation = "relu" if fault == "activation" else None
        flow = layers.Conv2D(4, 3, activation=activation, name="conv")(flow)
    normed = layers.BatchNormalization(axis=1 if fault == "axis" else -1, name="norm")(flow)
    if fault == "two readers":
        normed = layers.Add()([normed, flow])
    model = tf_keras.Model(image, layers.GlobalAveragePooling2D()(normed))
    small_networks.scramble(model)
    result, plain = folded(model)
    assert (
        result.left["norm"]
        == {
            "activation": "conv applies its activation before it",
            "axis": "it norms another axis than the channels",
            "image": "it reads the image",
            "two readers": "others read conv, too",
        }[fault]
    )
    assert difference(model, plain) < 1e-5


def test_a_norm_without_scale_or_center_and_a_depthwise_multiplier_are_folded():
    from components.ml.runtime import tf_keras

    layers = tf_keras.layers
    image = layers.Input(small_networks.SHAPE)
    flow = layers.Conv2D(3, 3)(image)
    flow = layers.BatchNormalization(scale=False)(flow)
    flow = layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False)(flow)
    flow = layers.BatchNormalization(center=False)(flow)
    model = tf_keras.Model(image, layers.GlobalAveragePooling2D()(flow))
    small_networks.scramble(model)
    result, plain = folded(model)
    assert (len(result.norms), result.left) == (2, {})
    assert difference(model, plain) < 1e-5
