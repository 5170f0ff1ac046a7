"""Resolution: a network that looks at fewer pixels than its input has.

Shapes: b images of a batch, h rows, w columns, c channels.
"""

from __future__ import annotations

import math
from typing import Any

from components.contract.errors import UserError
from components.ml.runtime import tf_keras


def reduced(image_bhwc: Any, side: int) -> Any:
    """Shrink images to a shorter side of ``side`` pixels; the proportions stay.

    Whole squares of pixels are averaged as far as that goes, which loses no pixel; what is left is
    interpolated.

    Args:
        image_bhwc: The input.
        side: Pixels, at most as many as the image has.

    Raises:
        UserError: The image has fewer pixels.
    """
    height, width = image_bhwc.shape[1:3]
    shorter = min(height, width)
    if side > shorter:
        raise UserError(
            f"resolution is {side}, and the images have {height} x {width} pixels",
            f"set resolution to {shorter} or below, or leave it away",
        )
    layers, square = tf_keras.layers, shorter // side
    wanted = tuple(round(length * side / shorter) for length in (height, width))
    if square > 1:
        image_bhwc = layers.AveragePooling2D(square, name="average")(image_bhwc)
    if tuple(image_bhwc.shape[1:3]) != wanted:
        image_bhwc = layers.Resizing(*wanted, name="resize")(image_bhwc)
    return image_bhwc


def averaged(image_bhwc: Any, most: int) -> Any:
    """Average squares of pixels, the smallest that leave at most ``most`` numbers of an image."""
    height, width, channels = image_bhwc.shape[1:4]
    square = math.ceil(math.sqrt(max(1.0, height * width * channels / most)))
    while (height // square) * (width // square) * channels <= most and square > 1:
        square -= 1
    while (height // square) * (width // square) * channels > most:
        square += 1
    if square == 1:
        return image_bhwc
    return tf_keras.layers.AveragePooling2D(square, name="average")(image_bhwc)
