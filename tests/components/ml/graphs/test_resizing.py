"""Networks on images of another size: the layers that bring images to theirs."""

import numpy as np
import pytest

from components.ml.graphs import resizing
from components.ml.runtime import tf_keras


def network():
    layers = tf_keras.layers
    image = layers.Input((8, 6, 1), name="given")
    flow = layers.Conv2D(2, 3, name="seen")(image)
    return tf_keras.Model(image, layers.Flatten(name="flat")(flow))


def test_larger_images_are_averaged_and_nothing_is_skipped():
    images = np.random.default_rng(0).normal(size=(2, 16, 18, 1)).astype(np.float32)
    blocks = images.reshape(2, 8, 2, 6, 3, 1).mean((2, 4))
    np.testing.assert_allclose(resizing.resized(images, (8, 6)), blocks, atol=1e-6)
    # One pixel of a large image is somewhere in the small one, wherever it lies.
    for row in range(21):
        spot = np.zeros((1, 21, 6, 1), np.float32)
        spot[0, row] = 1
        assert resizing.resized(spot, (8, 6)).numpy().sum() > 0.1


def test_smaller_images_are_enlarged_and_equal_ones_stay():
    ramp = np.arange(4, dtype=np.float32)[None, :, None, None] * np.ones((1, 1, 6, 1), np.float32)
    rows = resizing.resized(ramp, (8, 6)).numpy()[0, :, 0, 0]
    assert rows == pytest.approx([0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3])
    same = np.ones((1, 8, 6, 1), np.float32)
    assert resizing.resized(same, (8, 6)) is same


@pytest.mark.parametrize("shape", [(16, 18, 1), (4, 3, 1), (13, 7, 1), (8, 6, 1)])
@pytest.mark.parametrize("known", [True, False])
def test_a_network_sees_what_the_function_gives_it(shape, known):
    model = network()
    other = resizing.seeing(model, (8, 6), shape, known=known)
    images = np.random.default_rng(0).normal(size=(3, *shape)).astype(np.float32)
    np.testing.assert_allclose(
        other(images), model(resizing.resized(images, (8, 6))), rtol=1e-4, atol=1e-5
    )
    assert not known or "seen" in {layer.name for layer in other.layers}
    assert not known or not any(isinstance(layer, tf_keras.Model) for layer in other.layers)
