"""Models in folders as functions from images to their outputs, also of images of another size.

Shapes: n images, h rows, w columns, c channels, d numbers of an output.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from components.artifacts.model import ModelInfo
from components.ml.formats import model_folder
from components.ml.graphs import resizing
from components.ml.runtime import tf
from components.ml.training.outputs import Outputs, outputs_of


def outputs_of_folder(
    path: Path, info: ModelInfo, image_shape: tuple[int, int, int] | None = None
) -> Outputs:
    """Return a Model as a function of images ``nhwc``, 0 to 255; one that can only be run too.

    Args:
        path: The Model's folder.
        info: What it says.
        image_shape: Of the images, which are brought to the Model's size; None: they have it.
    """
    if info.trainable:
        return outputs_of(*network_seeing(path, info, image_shape or info.image_shape))
    program = model_folder.inference(path)

    def run(images_nhwc: np.ndarray) -> np.ndarray:
        images = tf.constant(model_folder.normalize(images_nhwc, info))
        return program(np.asarray(resizing.resized(images, info.image_shape[:2])))

    return run


def network_seeing(
    path: Path, info: ModelInfo, image_shape: tuple[int, int, int]
) -> tuple[Any, ModelInfo]:
    """Return the Keras model of a Model on images of another size, and its info for these.

    Args:
        path: The Model's folder; it must be one that can be trained.
        info: What it says.
        image_shape: Height, width and channels of the images; of as many channels as the Model's.
    """
    height, width, _ = image_shape
    network = resizing.seeing(model_folder.load(path)[0], info.image_shape[:2], image_shape)
    return network, replace(info, input=replace(info.input, height=height, width=width))
