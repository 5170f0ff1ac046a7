"""Nested models answer the same once they are flat, however they are connected."""

import numpy as np
import pytest

from components.ml.graphs.flattening import flattened
from components.ml.runtime import tf_keras

SHAPE = (8, 8, 1)
layers = tf_keras.layers


def two_outputs():
    """One model gives two tensors, one of them from the middle, and both are used."""
    given = layers.Input(SHAPE)
    middle = layers.Conv2D(2, 3, name="conv")(given)
    inner = tf_keras.Model(given, [middle, layers.Conv2D(3, 3, name="last")(middle)], name="inner")
    image = layers.Input(SHAPE)
    first, second = inner(image)
    pooled = [layers.GlobalAveragePooling2D()(side) for side in (second, first)]
    return tf_keras.Model(image, layers.Dense(3)(layers.Concatenate()(pooled)))


def two_inputs(by_name=False):
    """One model takes two tensors, in a list or by name and then in another order."""
    given = {name: layers.Input((6, 6, 2), name=name) for name in ("left", "right")}
    difference = layers.Subtract()([given["left"], given["right"]])
    inner = tf_keras.Model(
        given if by_name else list(given.values()), layers.Conv2D(2, 3)(difference), name="inner"
    )
    image = layers.Input(SHAPE)
    one, other = (layers.Conv2D(2, 3, name=name)(image) for name in ("one", "other"))
    joined = inner({"right": one, "left": other} if by_name else [other, one])
    return tf_keras.Model(image, layers.Dense(3)(layers.Flatten()(joined)))


def named():
    return two_inputs(by_name=True)


def outputs_by_name():
    given = layers.Input(SHAPE)
    outputs = {"z": layers.Conv2D(2, 3)(given), "a": layers.Conv2D(2, 3)(given)}
    inner = tf_keras.Model(given, outputs, name="inner")
    image = layers.Input(SHAPE)
    answers = inner(image)
    flow = layers.Subtract()([answers["z"], answers["a"]])
    return tf_keras.Model(image, layers.Dense(3)(layers.Flatten()(flow)))


def joined_names_that_are_equal():
    """a/b_c and a_b/c, and a layer that is called as the input is."""

    def small(name, layer):
        return tf_keras.Sequential([layers.Input(SHAPE), layer], name=name)

    image = layers.Input(SHAPE)
    flow = small("a", layers.Conv2D(1, 3, padding="same", name="b_c"))(image)
    flow = small("a_b", layers.Conv2D(1, 3, padding="same", name="c"))(flow)
    flow = layers.Flatten(name="image")(flow)
    return tf_keras.Model(image, layers.Dense(3)(flow))


def passed_through():
    """A model whose output is its input, beside a real one."""
    given = layers.Input(SHAPE)
    inner = tf_keras.Model(given, [given, layers.Conv2D(1, 3, padding="same")(given)])
    image = layers.Input(SHAPE)
    flow = layers.Add()(inner(image))
    return tf_keras.Model(image, layers.Dense(3)(layers.Flatten()(flow)))


@pytest.mark.parametrize(
    "make",
    [two_outputs, two_inputs, named, outputs_by_name, joined_names_that_are_equal, passed_through],
)
def test_a_nested_model_answers_the_same_when_it_is_flat(make):
    model = make()
    for weight in model.weights:  # biases begin at 0
        weight.assign_add(np.random.default_rng(0).normal(0, 0.1, weight.shape))
    flat = flattened(model, SHAPE)
    assert not any(isinstance(layer, tf_keras.Model) for layer in flat.layers)
    assert flat.count_params() == model.count_params()
    image = np.random.default_rng(1).normal(size=(5, *SHAPE)).astype(np.float32)
    np.testing.assert_allclose(flat(image, training=False), model(image, training=False), atol=1e-6)
