"""The images in a Model's folder that ``convert`` calibrates an int8 file on.

Shapes: n images, h rows, w columns, c channels.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from components.ml.formats import stored_arrays

FILE = "calibration.npz"


def write(path: Path, images_nhwc: np.ndarray) -> None:
    """Write normalized images into the folder of a Model."""
    stored_arrays.write(path / FILE, {"images": images_nhwc})


def read(path: Path) -> np.ndarray | None:
    """Return a Model's calibration images, normalized float32 ``nhwc``; None when it has none."""
    file = path / FILE
    if not file.is_file():
        return None
    with np.load(file) as arrays:
        return arrays["images"]
