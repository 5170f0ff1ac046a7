"""Networks as functions from images to their outputs.

Shapes: n images, b images in a batch, h rows, w columns, c channels, d numbers of an output.
"""

from __future__ import annotations

from collections.abc import Callable
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
