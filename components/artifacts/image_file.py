"""Image files: arrays of images in numpy's own format, never whole in memory.

What is mapped counts as memory of the process for as long as its pages stay, although the system
could take them back at once; so they are given back after each few that were read.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Protocol, cast

import numpy as np
from numpy.typing import NDArray

_AT_ONCE_BYTES: Final = 1 << 19
"""Of images that are read and written at once: they stay in the processor's caches. Much more is
memory that the system gives, and has to clear, anew each time."""


class SlicedImages(Protocol):
    """Images that are read a slice at a time: an array, or a file too large for memory."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice, /) -> NDArray[Any]: ...


def write_images(path: Path, images_nhwc: SlicedImages, threads: int = 1) -> None:
    """Write images as ``np.save`` would, a few at a time.

    Args:
        path: File to make.
        images_nhwc: At least one.
        threads: How many read and write side by side; the bytes do not depend on it.
    """
    first = images_nhwc[:1]
    described = np.lib.format.dtype_to_descr(np.dtype(first.dtype))
    shape = (len(images_nhwc), *(int(side) for side in first.shape[1:]))
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": described, "fortran_order": False, "shape": shape}
        )
        file.flush()
        begin = file.tell()
        rows = max(1, _AT_ONCE_BYTES // first.nbytes)

        def write_from(start: int) -> None:
            some = np.ascontiguousarray(images_nhwc[start : start + rows])
            left, offset = some.reshape(-1).view(np.uint8).data, begin + start * first.nbytes
            while left:
                written_bytes = os.pwrite(file.fileno(), left, offset)
                left, offset = left[written_bytes:], offset + written_bytes
            release([images_nhwc])

        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(write_from, range(0, len(images_nhwc), rows)):
                pass


def release(arrays: Sequence[object]) -> None:
    """Give back the memory of what was read of mapped files; other arrays stay as they are.

    What is read again is mapped again, out of the system's own cache of the file.
    """
    for array in arrays:
        owner = array
        while isinstance(owner, np.ndarray):  # a part of a part of the whole file
            if isinstance(owner, np.memmap) and owner.mode == "c":  # its changes are nowhere else
                break
            owner = cast("object", owner.base)
        if isinstance(owner, mmap.mmap):
            owner.madvise(mmap.MADV_DONTNEED)
