"""PairList: the pairs that the user lists, with their images, beside the sealed split.

The images have a folder of their own: the splits that judge are capped, and an identity with one
image, of which no split has use, is half of a pair here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from components.contract.digests import canonical_json

FOLDER: Final = "pairs"
"""In the folder of the sealed dataset."""

_ROWS = 256  # images written at once


class ImageRows(Protocol):
    """Images that are read a slice at a time."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice, /) -> NDArray[np.uint8]: ...


@dataclass(frozen=True, eq=False)
class PairList:
    """Listed pairs.

    Attributes:
        name: Of the file that lists them.
        images: uint8, n x height x width x channels.
        first: p rows of the images.
        second: p rows of the images.
        same: Whether they show the same.
        folds: p numbers of folds, from 0.
    """

    name: str
    images: ImageRows
    first: NDArray[np.int32]
    second: NDArray[np.int32]
    same: NDArray[np.bool_]
    folds: NDArray[np.int32]

    def write(self, dataset: Path) -> None:
        """Write it into the folder of a dataset."""
        folder = dataset / FOLDER
        folder.mkdir()
        shape = (len(self.images), *self.images[:1].shape[1:])
        target = np.lib.format.open_memmap(
            folder / "images.npy", mode="w+", dtype=np.uint8, shape=shape
        )
        for start in range(0, len(self.images), _ROWS):
            target[start : start + _ROWS] = self.images[start : start + _ROWS]
        target.flush()
        table = np.stack([self.first, self.second, self.same, self.folds], axis=1)
        np.save(folder / "pairs.npy", table.astype(np.int32))
        (folder / "pairs.json").write_bytes(canonical_json({"schema": 1, "name": self.name}))

    @classmethod
    def read(cls, dataset: Path) -> PairList | None:
        """Read it out of the folder of a dataset; None where it has none."""
        folder = dataset / FOLDER
        if not folder.is_dir():
            return None
        name = json.loads((folder / "pairs.json").read_bytes())["name"]
        first, second, same, folds = np.load(folder / "pairs.npy", allow_pickle=False).T
        images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
        return cls(name, images, first, second, same.astype(bool), folds)


@dataclass(frozen=True)
class PairListResult:
    """What a verifier reaches on listed pairs.

    Attributes:
        name: Of the file that lists them.
        pairs: How many.
        images: Different images among them.
        accuracy: Mean over the folds; each is judged by the threshold of the others.
        standard_error: Of that mean; None of one fold, which the validation threshold judges.
        accuracies: Of each fold.
        thresholds: By which each fold was judged.
    """

    name: str
    pairs: int
    images: int
    accuracy: float
    standard_error: float | None
    accuracies: Sequence[float]
    thresholds: Sequence[float]

    @property
    def figure(self) -> str:
        """The accuracy in words, as others print it."""
        if self.standard_error is None:
            return f"{self.accuracy:.4f}"
        return f"{self.accuracy:.4f} \N{PLUS-MINUS SIGN} {self.standard_error:.4f}"

    @property
    def sentence(self) -> str:
        """The protocol in words."""
        folds = len(self.accuracies)
        rule = (
            f"{folds} folds, each judged by the threshold of the other {folds - 1}; mean accuracy "
            "and its standard error (Huang et al. 2007, image-restricted)"
            if folds > 1
            else "one fold, judged by the threshold of the validation images"
        )
        return f"{self.pairs:,} pairs of {self.images:,} images: {rule}"
