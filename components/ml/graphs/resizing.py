"""Networks that see images of another size than they were made for.

Images are first brought to a whole multiple of the network's size by bilinear interpolation, then
averaged over the squares of that multiple: a smaller image is enlarged bilinearly, and a larger
one is averaged, so that nothing is skipped (antialiased). Plain layers do it, which every converter
knows, so that the resized network is a network like any other.

Shapes: b images, h rows, w columns, c channels.
"""

from __future__ import annotations

from typing import Any

from components.ml.graphs.flattening import flattened
from components.ml.runtime import tf_keras

INPUT = "image"


def resized(image_bhwc: Any, size: tuple[int, int]) -> Any:
    """Return images of another size; a Keras tensor gives a Keras tensor.

    Args:
        image_bhwc: float32.
        size: Rows and columns wanted.
    """
    layers = tf_keras.layers
    multiples = tuple(
        max(1, have // want) for have, want in zip(image_bhwc.shape[1:3], size, strict=True)
    )
    between = tuple(want * times for want, times in zip(size, multiples, strict=True))
    if tuple(image_bhwc.shape[1:3]) != between:
        image_bhwc = layers.Resizing(*between, name="resized")(image_bhwc)
    if multiples != (1, 1):
        image_bhwc = layers.AveragePooling2D(multiples, name="averaged")(image_bhwc)
    return image_bhwc


def seeing(
    model: Any, own: tuple[int, int], shape: tuple[int, int, int], *, known: bool = True
) -> Any:
    """Return a network on images of ``shape`` of one that was made for images of ``own`` shape.

    The names and weights of its layers are those of ``model``.

    Args:
        model: A Sequential or functional ``tf_keras`` model.
        own: Height and width of its image.
        shape: Height, width and channels of the images that there are; of as many channels.
        known: Whether it is made of known layers; one that is not stays a model inside a model.
    """
    if own == shape[:2]:
        return model
    if known:
        return flattened(model, shape, before=lambda image: resized(image, own))
    image = tf_keras.Input(shape, name=INPUT)
    return tf_keras.Model(image, model(resized(image, own)))
