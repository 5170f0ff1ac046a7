"""Chained: images of several files that are indexed as one array and stay where they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from components.artifacts.image_file import release

_AT_ONCE: Final = 64  # images
_MAPPED_BYTES: Final = 64 << 20  # most that stays mapped
_AROUND_BYTES: Final = 64 << 10  # what Linux maps around each place that is read


class ChainedImages:
    """Arrays of images one behind the other; what is asked for is copied, and nothing else.

    Of mapped parts, the memory is given back again and again: it does not grow with what is read.

    Args:
        parts: uint8, each images x height x width x channels, of one size; at least one.

    Attributes:
        shape: Of all together.
        dtype: uint8.
    """

    def __init__(self, parts: Sequence[NDArray[np.uint8] | ChainedImages]) -> None:
        self._parts = tuple(parts)
        self._starts = np.array([0, *accumulate(len(part) for part in self._parts)])
        first: NDArray[np.uint8] | ChainedImages = self._parts[0]
        _, height, width, channels = first.shape
        self._mapped_bytes = 0  # read of the parts since their memory was given back
        self.dtype: np.dtype[np.uint8] = first.dtype
        self.shape: tuple[int, int, int, int] = (
            int(self._starts[-1]), int(height), int(width), int(channels),
        )  # fmt: skip

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        for start in range(0, len(self), _AT_ONCE):
            yield from self[start : start + _AT_ONCE]

    def __getitem__(self, rows: int | slice | NDArray[np.integer], /) -> NDArray[np.uint8]:
        """Return one image, or an array of those that a slice or whole numbers choose."""
        if isinstance(rows, slice):
            return self._taken(np.arange(len(self))[rows])
        chosen = np.asarray(rows)
        if chosen.ndim > 1 or chosen.dtype.kind not in "iu":
            raise IndexError(f"images are chosen by a row, a slice or a list of rows, not {rows!r}")
        if chosen.ndim == 0:
            return self._taken(chosen[np.newaxis])[0]
        return self._taken(chosen)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return all of it in memory; for what is known to be small."""
        del copy
        whole = self[:]
        return whole if dtype is None else whole.astype(dtype)

    def _taken(self, rows: NDArray[np.integer]) -> NDArray[np.uint8]:
        if rows.size and not (-len(self) <= rows.min() and rows.max() < len(self)):
            raise IndexError(f"rows {rows.min()} to {rows.max()} of {len(self)} images")
        rows = np.where(rows < 0, rows + len(self), rows)
        taken = np.empty((len(rows), *self.shape[1:]), self.dtype)
        part_of = np.searchsorted(self._starts, rows, side="right") - 1
        for number in np.unique(part_of):
            here = part_of == number
            taken[here] = self._parts[int(number)][rows[here] - self._starts[number]]
        self._mapped_bytes += taken.nbytes + len(rows) * _AROUND_BYTES
        if self._mapped_bytes > _MAPPED_BYTES:
            release(self._parts)
            self._mapped_bytes = 0
        return taken
