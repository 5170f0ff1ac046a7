"""Spool: images that wait in a temporary file until it is known where they belong."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


class Spool:
    """Images of one size in a temporary file, which vanishes with the process."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.shape = shape
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 lives as long as its arrays are read
        self._image_bytes = int(np.prod(shape))

    def put(self, place: int, image: NDArray[np.uint8]) -> None:
        """Keep an image at a place; processes may do so side by side, each at places of its own."""
        assert image.shape == self.shape, (image.shape, self.shape)
        left, start = np.ascontiguousarray(image).reshape(-1).data, place * self._image_bytes
        while left:
            written_bytes = os.pwrite(self._file.fileno(), left, start)
            left, start = left[written_bytes:], start + written_bytes

    def mapped(self, count: int) -> NDArray[np.uint8]:
        """Return the images at the first places as one array that stays in the file.

        Args:
            count: Of places; what was put nowhere is black.
        """
        shape = (count, *self.shape)
        if not all(shape):
            return np.zeros(shape, np.uint8)
        self._file.truncate(count * self._image_bytes)
        return np.memmap(self._file, np.uint8, "r", shape=shape)

    def read(self, places: Sequence[int]) -> NDArray[np.uint8]:
        """Return the images at some places, in memory."""
        images = np.empty((len(places), *self.shape), np.uint8)
        handle, size_bytes = self._file.fileno(), self._image_bytes
        if size_bytes:
            rows = images.reshape(-1).data
            for row, place in enumerate(places):
                part = rows[row * size_bytes : (row + 1) * size_bytes]
                read_bytes = os.preadv(handle, [part], place * size_bytes)
                assert read_bytes == size_bytes, "a file of ours that nobody else has"
        return images


@dataclass(frozen=True)
class SpoolRows:
    """Chosen images of a spool, read a slice at a time."""

    spool: Spool
    places: Sequence[int]

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, rows: slice, /) -> NDArray[np.uint8]:
        return self.spool.read(self.places[rows])
