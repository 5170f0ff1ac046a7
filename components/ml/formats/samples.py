"""A few training images in a Model's folder, on which later steps show what became of it.

Steps that make a Model of a dataset draw them, steps that make a Model of a Model pass them on.
They come from the train split alone: none was ever kept apart to measure on.

Shapes: n images, h rows, w columns, c channels.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from components.artifacts.dataset import Dataset
from components.ml.formats import stored_arrays

FILE = "samples.npz"
COUNT = 32
"""Images, at most."""

_SPLIT = "train"


def draw(path: Path, data: Dataset, seed: int) -> None:
    """Draw training images and write them into the folder of a Model.

    Args:
        path: The Model's folder.
        data: Its train split is drawn from.
        seed: The same seed draws the same images.
    """
    images = data.images(_SPLIT)
    rows = np.random.default_rng(seed).permutation(len(images))[:COUNT]
    pixels_nhwc = np.asarray(images[np.sort(rows)])
    stored_arrays.write(path / FILE, {"images": pixels_nhwc})


def pass_on(source: Path, path: Path) -> None:
    """Copy the images of the Model in ``source`` to the one in ``path``, if it has any."""
    if (source / FILE).is_file():
        shutil.copyfile(source / FILE, path / FILE)


def read(path: Path) -> np.ndarray | None:
    """Return a Model's images, uint8 ``nhwc``; None for one that was made before there were any."""
    if not (path / FILE).is_file():
        return None
    with np.load(path / FILE) as arrays:
        return arrays["images"]
