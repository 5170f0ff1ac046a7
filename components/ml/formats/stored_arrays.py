"""Arrays in an ``.npz`` file of the same bytes under every Python."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np


def write(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays, undated and not compressed.

    ``np.savez`` asks for the large form of the format, which Python marks differently from 3.11.4
    on. Given whole, an array below 2 GB gets the plain form.

    Args:
        path: The file.
        arrays: By name.
    """
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            npy = io.BytesIO()
            np.lib.format.write_array(npy, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), npy.getvalue())
