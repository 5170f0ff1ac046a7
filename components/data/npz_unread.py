"""Arrays of an ``.npz`` file that look like images and are not read: nothing is left out unsaid."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path

from components.contract.errors import UserError
from components.contract.source import Source
from components.data.npz import PAIRS
from components.data.npz_headers import ArrayHeader


def unread_arrays(source: Source) -> list[str]:
    """Return a warning for each array that has the shape of the images and is not read as such.

    Args:
        source: Of any format; others than ``npz`` have no arrays.
    """
    if source.format != "npz":
        return []
    return [text for file in source.files for text in _unread(source.path_of(file), file.name)]


def _unread(path: Path, name: str) -> Iterator[str]:
    with zipfile.ZipFile(path) as archive:
        members = {one.removesuffix(".npy") for one in archive.namelist() if one.endswith(".npy")}
        pairs = [pair for pair in PAIRS if members.issuperset(pair)]
        shapes = {ArrayHeader.read(archive, images, name).shape[1:] for images, _ in pairs}
        for other in sorted(members - {one for pair in pairs for one in pair}):
            with contextlib.suppress(UserError):  # of what is not read, faults are of no account
                shape = ArrayHeader.read(archive, other, name).shape
                if len(shape) > 1 and shape[0] and shape[1:] in shapes:
                    yield (
                        f"{name}[{other}] has the shape of {shape[0]:,} images and is not read. "
                        f"{_reading(other, members)}"
                    )


def _reading(name: str, members: Collection[str]) -> str:
    """Say how an array would be read."""
    labels = name.replace("x_", "y_", 1) if name.startswith("x_") else ""
    if name.endswith("_images"):
        labels = f"{name.removesuffix('_images')}_labels"
    if labels and labels not in members:
        return f"Save its labels as {labels}, to use it"
    words = "train, val or test"
    return f"Call it x_ and its labels y_ with one of {words} behind, as x_train, to use it"
