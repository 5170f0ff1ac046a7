"""The ranges in a Model's folder that its int8 file computes in, where they are trained."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from components.ml.formats.model_folder import load_arrays
from components.ml.graphs.rounding import Range

FILE = "ranges.safetensors"


def write(path: Path, ranges: Mapping[str, Range]) -> None:
    """Write the ranges into the folder of a Model.

    Args:
        path: The Model's folder.
        ranges: By the call of a layer whose output is rounded: see ``CallGraph``.
    """
    path.mkdir(parents=True, exist_ok=True)
    save_file({name: np.array(ends, np.float32) for name, ends in ranges.items()}, path / FILE)


def read(path: Path) -> dict[str, Range]:
    """Return a Model's trained ranges; none of a Model without them.

    Raises:
        UserError: The file was damaged.
    """
    if not (path / FILE).is_file():
        return {}
    arrays = load_arrays(path / FILE)
    return {name: (float(low), float(high)) for name, (low, high) in arrays.items()}
