"""Networks and Models as functions from images to their outputs.

Shapes: n images, b images in a batch, h rows, w columns, c channels, d numbers of an output.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from components.artifacts.model import ModelInfo
from components.ml.formats import model_folder
from components.ml.runtime import tf

_BATCH = 32

Outputs: TypeAlias = Callable[[np.ndarray], np.ndarray]
"""A network as a function from uint8 images ``nhwc`` to its float32 outputs ``nd``."""


def outputs_of(model: Any, info: ModelInfo) -> Outputs:
    """Return the function of a Keras model."""

    @tf.function(
        input_signature=[tf.TensorSpec((None, *info.image_shape), tf.float32)], autograph=False
    )
    def forward(images_bhwc: Any) -> Any:
        return model(images_bhwc, training=False)

    def run(images_nhwc: np.ndarray) -> np.ndarray:
        parts = [
            forward(model_folder.normalize(images_nhwc[start : start + _BATCH], info)).numpy()
            for start in range(0, len(images_nhwc), _BATCH)
        ]
        return np.concatenate(parts)

    return run


def outputs_of_folder(path: Path, info: ModelInfo) -> Outputs:
    """Return a Model as a function of images ``nhwc``, 0 to 255; one that can only be run too."""
    if info.trainable:
        return outputs_of(model_folder.load(path)[0], info)
    program = model_folder.inference(path)
    return lambda images_nhwc: program(model_folder.normalize(images_nhwc, info))
