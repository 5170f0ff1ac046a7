"""The images in a Model's folder that ``convert`` calibrates an int8 file on.

Shapes: n images, h rows, w columns, c channels.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np

FILE = "calibration.npz"


def write(path: Path, images_nhwc: np.ndarray) -> None:
    """Write normalized images into the folder of a Model, in the same bytes under every Python.

    ``np.savez`` asks for the large form of the format, which Python marks differently from 3.11.4
    on. Given whole, an array below 2 GB gets the plain form.
    """
    npy = io.BytesIO()
    np.lib.format.write_array(npy, np.ascontiguousarray(images_nhwc), allow_pickle=False)
    with zipfile.ZipFile(path / FILE, "w") as archive:
        archive.writestr(zipfile.ZipInfo("images.npy"), npy.getvalue())


def read(path: Path) -> np.ndarray | None:
    """Return a Model's calibration images, normalized float32 ``nhwc``; None when it has none."""
    file = path / FILE
    if not file.is_file():
        return None
    with np.load(file) as arrays:
        return arrays["images"]
