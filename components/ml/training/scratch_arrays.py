"""Arrays that a training needs for as long as it lasts, in files without a name and not in memory.

Shapes: n rows, t numbers of a teacher's output; views or other things may stand before both.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from components.artifacts.image_file import release

_ROWS_AT_ONCE = 4096


def scratch_array(shape: tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
    """Return an array of zeros in a temporary file, which vanishes with the array."""
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, dtype, mode="w+", shape=shape)


def filled(
    shape: tuple[int, ...], dtype: DTypeLike, draw: Callable[[int], np.ndarray]
) -> np.ndarray:
    """Return a scratch array of what is drawn, a few rows at a time.

    Args:
        shape: Rows, and the shape of each.
        dtype: Of the numbers.
        draw: Returns the next so many rows. Of a generator of numpy, the same numbers come out as
            if all were drawn at once.
    """
    array = scratch_array(shape, dtype)
    for start in range(0, shape[0], _ROWS_AT_ONCE):
        count = min(_ROWS_AT_ONCE, shape[0] - start)
        array[start : start + count] = draw(count)
    release([array])
    return array


class HalfAnswers:
    """A teacher's answers in 16 bits each, read as float32.

    Each row is divided by a power of two, so that its largest number is within 0.5 and 1: an answer
    is off by 1/2048 of itself at most, whatever its size, or by 2^-25 of the largest of its row.

    Args:
        shape: ``... n t``.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self._halves = scratch_array(shape, np.float16)
        self._exponents = scratch_array(shape[:-1], np.int16)

    def __setitem__(self, rows: Any, answers: np.ndarray) -> None:
        largest = np.max(np.abs(answers), axis=-1)
        exponents = np.where(np.isfinite(largest), np.frexp(largest)[1], 0)
        self._halves[rows] = np.ldexp(answers, -exponents[..., np.newaxis])
        self._exponents[rows] = exponents

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Return a copy of the answers that any index of numpy but the last axis chooses."""
        halves, exponents = np.asarray(self._halves[rows]), np.asarray(self._exponents[rows])
        return np.ldexp(halves.astype(np.float32), exponents[..., np.newaxis].astype(np.int32))

    def release(self) -> None:
        """Give back the memory of what was read or written; it stays in the file."""
        release([self._halves, self._exponents])
