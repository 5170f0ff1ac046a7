"""Features: layers inside a network tell what they answer, and training them trains the network."""

import numpy as np

from components.ml.runtime import tf_keras
from components.ml.training.features import maps_of, stages_of, with_features
from components.ml.training.objectives import FEATURES, OUTPUT


def network():
    layers = tf_keras.layers
    image = layers.Input((8, 8, 1))
    twice = layers.ReLU(name="twice")
    flow = twice(layers.Conv2D(3, 3, padding="same", name="wide")(image))
    flow = twice(layers.Conv2D(4, 3, strides=2, padding="same", name="half")(flow))
    flow = layers.ReLU(name="after")(flow)
    flow = layers.Conv2D(2, 4, name="whole")(flow)
    return tf_keras.Model(image, layers.Flatten(name="flat")(flow))


def test_every_layer_with_one_map_is_found_and_the_last_of_each_resolution():
    model = network()
    assert maps_of(model) == {"wide": (8, 8), "half": (4, 4), "after": (4, 4), "whole": (1, 1)}
    assert stages_of(model) == {(8, 8): "wide", (4, 4): "after"}


def test_a_network_tells_what_its_layers_answer_and_shares_their_weights():
    model = network()
    images = np.random.default_rng(0).normal(size=(3, 8, 8, 1)).astype(np.float32)
    told = with_features(model, ["half", "wide"])(images, training=False)
    np.testing.assert_array_equal(told[OUTPUT], model(images))
    assert list(told[FEATURES]) == ["half", "wide"]
    wide = told[FEATURES]["wide"].numpy()
    np.testing.assert_allclose(
        told[FEATURES]["half"], model.get_layer("half")(np.maximum(wide, 0)), rtol=1e-5, atol=1e-6
    )
    model.set_weights([0 * weight for weight in model.get_weights()])
    assert (
        not with_features(model, ["wide"])(images, training=False)[FEATURES]["wide"].numpy().any()
    )
    plain = with_features(model, ())(images, training=False)
    assert plain[FEATURES] == {}
