"""One image of a file that holds many, and what the readers of such files have in common.

Shapes are in the files' headers; nothing is unpacked beyond what a header promised, and nothing
that a header asks for is taken before it was compared with a limit: a small file cannot fill the
memory. Damage to such a file is an error and no quarantine: nothing behind it can be trusted.
"""

from __future__ import annotations

import csv
import gzip
import math
import struct
import zipfile
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Literal, cast

import numpy as np
from numpy.typing import NDArray

from components.contract.errors import UserError
from components.data.images import BadImage

LABEL_BYTES_MAX: Final = 256 << 20
"""Most memory for the labels of one file: 33 million whole numbers of 64 bits."""

_CHUNK_BYTES = 8 << 20


@dataclass(frozen=True)
class Record:
    """One image of a file that holds many.

    Attributes:
        file: Name of the file in the source.
        index: Its place there, from 0; a header line of a csv does not count.
        label: Name of its class or identity.
        pixels: Numbers, height x width or height x width x channels, or what is wrong with them.
        split: Lower-case word by which the file says where the image is used, if it does.
        group: What the file says the image belongs to, if it does.
    """

    file: str
    index: int
    label: str
    pixels: NDArray[np.generic] | BadImage
    split: str | None = None
    group: str | None = None


@dataclass(frozen=True)
class RecordFormat:
    """What the user says of files of records.

    Attributes:
        height: Tells the shape of rows that are no square, pixels.
        width: Tells the shape of rows that are no square, pixels.
        max_pixels: Most pixels of one image.
        label_column: Where a csv without a header has its labels; None where it was not said.
    """

    height: int
    width: int
    max_pixels: int
    label_column: Literal["first", "last"] | None = None

    def shaped(self, values: int, name: str) -> tuple[int, int]:
        """Return height and width of an image that came as a row of ``values`` numbers.

        Raises:
            UserError: The row is no square and does not have the size that the user gave.
        """
        if values == self.height * self.width:
            return self.height, self.width
        side = math.isqrt(values)
        if not self.is_shaped(values):
            third = math.isqrt(values // 3)
            colour = (
                f"; or, where they are the red, the green and the blue of {third} x {third} "
                f"pixels, save rows.reshape(-1, 3, {third}, {third}).transpose(0, 2, 3, 1) as the "
                "images of an .npz file"
            )
            raise UserError(
                f"{name} has {values} values an image: no square, and not "
                f"{self.height} x {self.width}",
                "set image: {height, width} to the size in the file"
                + (colour if values and 3 * third**2 == values else ""),
            )
        return side, side

    def is_shaped(self, values: int) -> bool:
        """Whether so many numbers are a square, or of the size that the user gave."""
        square = values > 0 and math.isqrt(values) ** 2 == values
        return square or values == self.height * self.width

    def check_size(self, shape: tuple[int, ...], name: str) -> None:
        """Refuse images of more pixels than may be read, before they are.

        Args:
            shape: Height x width, and channels where there are any.
            name: Of the file.

        Raises:
            UserError: They are too large.
        """
        if math.prod(shape[:2]) > self.max_pixels:
            raise UserError(
                f"{name} holds images of {shape[1]} x {shape[0]} pixels; "
                f"at most {self.max_pixels} are read",
                f"set max_pixels: {math.prod(shape[:2])} under split, or store smaller images",
            )


@contextmanager
def damage(name: str) -> Generator[None]:
    """Turn what readers raise on damaged files into the user's error."""
    try:
        yield
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, struct.error, csv.Error) as error:
        raise UserError(f"{name} is damaged: {error}", "fetch or write the file again") from None


def unpacked(path: Path) -> IO[bytes]:
    """Open a file, unpacking it when its content (not its name) says gzip."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return cast("IO[bytes]", gzip.open(path, "rb")) if packed else path.open("rb")


def images_of(
    stream: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any], where: str
) -> Iterator[NDArray[np.generic]]:
    """Yield the images of an array that is too large for memory.

    Args:
        stream: Just before the first image.
        shape: How many images, and the shape of each; ``RecordFormat.check_size`` let it pass.
        dtype: Of the numbers.
        where: Name for errors.

    Raises:
        UserError: The stream ends early.
    """
    row_bytes = math.prod(shape[1:]) * dtype.itemsize
    rows = max(1, _CHUNK_BYTES // row_bytes)
    for start in range(0, shape[0], rows):
        count = min(rows, shape[0] - start)
        data = stream.read(count * row_bytes)
        if len(data) != count * row_bytes:
            held = start + len(data) // row_bytes
            raise UserError(
                f"{where} says {shape[0]} images and ends after {held}",
                "fetch or write the file again",
            )
        yield from np.frombuffer(data, dtype).reshape((count, *shape[1:]))
