"""Grouping: which group (a site, a camera, an alphabet) each image of a dataset belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

FILE: Final = "groups.npy"
"""Beside ``labels.npy`` of a split, only where the dataset has groups."""

NO_GROUP: Final = -1
"""In the place of a group: the source says of no group that this image belongs to it."""


@dataclass(frozen=True, eq=False)
class Grouping:
    """The groups of a dataset.

    Attributes:
        names: Of all groups, in order; splits need not have images of each.
        rows: For each split one integer an image: an index into the names, or ``NO_GROUP``.
    """

    names: tuple[str, ...] = ()
    rows: Mapping[str, NDArray[np.integer]] = field(default_factory=dict[str, NDArray[np.integer]])

    def check(self, split: str, images: int) -> None:
        """Refuse groups that do not fit the images of a split.

        Raises:
            ValueError: That is the caller's bug.
        """
        groups = self.rows[split]
        if groups.shape != (images,):
            raise ValueError(f"{split}: {images} images and groups of shape {groups.shape}")
        if groups.min() < NO_GROUP or groups.max() >= len(self.names):
            raise ValueError(
                f"{split}: groups {groups.min()} to {groups.max()} of {len(self.names)} names"
            )

    def write(self, split: str, folder: Path) -> None:
        """Write the groups of a split into its folder; nothing where there are none."""
        if self.names:
            np.save(folder / FILE, self.rows[split].astype(np.int32))


def read_groups(folder: Path) -> NDArray[np.int32]:
    """Return the groups of the split in ``folder``: int32, one an image."""
    return np.load(folder / FILE, allow_pickle=False)
