"""Readers: images that come as numbers in one large file, read one after another.

Shapes are in the files' headers; nothing is unpacked beyond what a header promised, so that a
small file cannot fill the memory. Damage to such a file is an error and no quarantine: nothing
behind it can be trusted.
"""

from __future__ import annotations

import csv
import gzip
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from components.contract.errors import UserError
from components.contract.source import IDX_IMAGES, IDX_LABELS, Source, SourceFile
from components.data.images import BadImage

_CHUNK_BYTES = 8 << 20
_LINE_CHARACTERS = 1 << 26
_UBYTE = 0x08
_NPZ_PAIRS = (("x", "y"), ("images", "labels"), ("x_train", "y_train"), ("x_test", "y_test"))
_LABEL_COLUMNS = ("label", "class", "target")


@dataclass(frozen=True)
class Record:
    """One image of a file that holds many.

    Attributes:
        file: Name of the file in the source.
        index: Its place there, from 0; a header line of a csv does not count.
        label: Name of its class or identity.
        pixels: Numbers, height x width or height x width x channels, or what is wrong with them.
    """

    file: str
    index: int
    label: str
    pixels: NDArray[np.generic] | BadImage


def records_of(source: Source, *, height: int, width: int, max_pixels: int) -> Iterator[Record]:
    """Read every record of a source, in order of file name and place.

    Args:
        source: Of the format ``npz``, ``idx`` or ``csv``.
        height: Tells the shape of rows that are no square.
        width: Tells the shape of rows that are no square.
        max_pixels: Most pixels of one image.

    Raises:
        UserError: A file is damaged, changed, or not laid out as its format says.
    """
    reader = {"npz": _npz, "idx": _idx, "csv": _csv}[source.format]
    for record in reader(source, (height, width)):
        pixels = record.pixels
        if not isinstance(pixels, BadImage) and math.prod(pixels.shape[:2]) > max_pixels:
            raise UserError(
                f"{record.file} holds images of {pixels.shape[1]} x {pixels.shape[0]} pixels; "
                f"at most {max_pixels} are read",
                "raise max_pixels, or store smaller images",
            )
        yield record


def _shaped(values: int, size: tuple[int, int], name: str) -> tuple[int, int]:
    """Return height and width of an image that came as a row of ``values`` numbers."""
    if values == size[0] * size[1]:
        return size
    side = math.isqrt(values)
    if side * side != values or not values:
        raise UserError(
            f"{name} has {values} values an image: no square, and not {size[0]} x {size[1]}",
            "set image: {height, width} to the size in the file",
        )
    return side, side


@contextmanager
def _damage(name: str) -> Generator[None]:
    """Turn what readers raise on damaged files into the user's error."""
    try:
        yield
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, struct.error, csv.Error) as error:
        raise UserError(f"{name} is damaged: {error}", "fetch or write the file again") from None


# npz -------------------------------------------------------------------------------------------


def _npz(source: Source, size: tuple[int, int]) -> Iterator[Record]:
    for file in source.files:
        with _damage(file.name), zipfile.ZipFile(source.verified(file)) as archive:
            members = {name.removesuffix(".npy") for name in archive.namelist()}
            pairs = [pair for pair in _NPZ_PAIRS if members.issuperset(pair)]
            if not pairs:
                raise UserError(
                    f"{file.name} holds the arrays {', '.join(sorted(members)) or 'none'}; "
                    "expected x and y, or images and labels",
                    "save it with np.savez_compressed(path, images=..., labels=...)",
                )
            index = 0
            for images_name, labels_name in pairs:
                labels = _npz_labels(archive, labels_name, file.name)
                with archive.open(f"{images_name}.npy") as stream:
                    rows = _npz_rows(stream, len(labels), f"{file.name}[{images_name}]", size)
                    for label, pixels in zip(labels, rows, strict=True):
                        yield Record(file.name, index, label, pixels)
                        index += 1


def _npy_header(stream: IO[bytes], where: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Read shape and type of an array; never its content, which could be a pickle."""
    try:
        version = np.lib.format.read_magic(stream)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, fortran, dtype = read(stream)
    except (ValueError, KeyError) as error:
        raise UserError(f"{where} is no numpy array: {error}", "save it again") from None
    if dtype.hasobject:
        raise UserError(
            f"{where} holds Python objects, which could run code when they are read",
            "save arrays of numbers",
        )
    if fortran and len(shape) > 1:
        raise UserError(f"{where} is in Fortran order", "save np.ascontiguousarray(...) of it")
    return shape, dtype


def _npz_labels(archive: zipfile.ZipFile, name: str, file: str) -> list[str]:
    where = f"{file}[{name}]"
    with archive.open(f"{name}.npy") as stream:
        shape, dtype = _npy_header(stream, where)
        count = shape[0] if shape else 0
        if dtype.kind not in "iubUS" or shape not in ((count,), (count, 1)):
            raise UserError(
                f"{where} is {dtype} of shape {shape}; expected one whole number or name an image",
                "store labels, not one-hot rows: labels.argmax(axis=1)",
            )
        data = stream.read(count * dtype.itemsize)
    if len(data) != count * dtype.itemsize:
        raise UserError(f"{where} ends early", "fetch or write the file again")
    values = np.frombuffer(data, dtype).tolist()
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values]


def _npz_rows(
    stream: IO[bytes], labels: int, where: str, size: tuple[int, int]
) -> Iterator[NDArray[np.generic]]:
    shape, dtype = _npy_header(stream, where)
    if len(shape) == 2:
        shape = (shape[0], *_shaped(shape[1], size, where))
    fits = len(shape) == 3 or (len(shape) == 4 and shape[3] in (1, 3))
    if dtype.kind not in "iufb" or not fits or 0 in shape[1:]:
        raise UserError(
            f"{where} is {dtype} of shape {shape}; expected numbers, "
            "images x height x width or images x height x width x 1 or 3",
            "transpose or convert the array before saving it",
        )
    if shape[0] != labels:
        raise UserError(
            f"{where} has {shape[0]} images and {labels} labels", "save one label an image"
        )
    yield from _images(stream, shape, dtype, where)


def _images(
    stream: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any], where: str
) -> Iterator[NDArray[np.generic]]:
    """Yield the images of an array that is too large for memory."""
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


# idx -------------------------------------------------------------------------------------------


def _idx(source: Source, _size: tuple[int, int]) -> Iterator[Record]:
    """Read the layout of MNIST: the official training and test files are one pool of images."""
    files = {file.name: file for file in source.files}
    for name, file in files.items():
        found = re.fullmatch(IDX_IMAGES, name)
        if not found:
            continue
        labelled = ((other, re.fullmatch(IDX_LABELS, other)) for other in files)
        partner = next(
            (o for o, match in labelled if match and match["stem"] == found["stem"]), None
        )
        if partner is None:
            raise UserError(
                f"{name} has no file of labels beside it",
                f"add {found['stem']}labels-idx1-ubyte.gz",
            )
        labels = _idx_labels(source.verified(files[partner]), partner)
        yield from _idx_images(source.verified(file), file, labels)


def _open(path: Path) -> IO[bytes]:
    """Open a file, unpacking it when its content (not its name) says gzip."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return cast("IO[bytes]", gzip.open(path, "rb")) if packed else path.open("rb")


def _idx_header(stream: IO[bytes], name: str, dimensions: tuple[int, ...]) -> tuple[int, ...]:
    """Read the shape in front of an idx file: two zeros, a type, how many dimensions, each."""
    magic = stream.read(4)
    expected = " or ".join(f"00 00 08 {count:02x}" for count in dimensions)
    if len(magic) < 4 or magic[:3] != bytes((0, 0, _UBYTE)) or magic[3] not in dimensions:
        raise UserError(
            f"{name} starts with {magic.hex(' ') or 'nothing'}; an idx file of bytes starts with "
            f"{expected}",
            "fetch the file again, or name it after what it is",
        )
    return struct.unpack(f">{magic[3]}I", stream.read(4 * magic[3]))


def _idx_labels(path: Path, name: str) -> bytes:
    with _damage(name), _open(path) as stream:
        (count,) = _idx_header(stream, name, (1,))
        labels = stream.read(count + 1)
    if len(labels) != count:
        held = "more" if len(labels) > count else len(labels)
        raise UserError(f"{name} says {count} labels and holds {held}", "fetch the file again")
    return labels


def _idx_images(path: Path, file: SourceFile, labels: bytes) -> Iterator[Record]:
    with _damage(file.name), _open(path) as stream:
        count, *shape = _idx_header(stream, file.name, (3, 4))
        if count != len(labels):
            raise UserError(
                f"{file.name} has {count} images and {len(labels)} labels",
                "fetch both files again",
            )
        if 0 in shape or (len(shape) == 3 and shape[2] not in (1, 3)):
            raise UserError(f"{file.name} holds images of shape {shape}", "fetch it again")
        images = _images(stream, (count, *shape), np.dtype(np.uint8), file.name)
        for index, pixels in enumerate(images):
            yield Record(file.name, index, str(labels[index]), pixels)
        if stream.read(1):
            raise UserError(f"{file.name} goes on after {count} images", "fetch it again")


# csv -------------------------------------------------------------------------------------------


def _csv(source: Source, size: tuple[int, int]) -> Iterator[Record]:
    """Read an image a row: its pixels, then its label, or the label in the column named so."""
    for file in source.files:
        with _damage(file.name), _open(source.verified(file)) as stream:
            rows = (row for row in csv.reader(_lines(stream, file.name)) if row)
            column, first = -1, next(rows, None)
            if first and not _is_number(first[0 if len(first) == 1 else 1]):  # a header line
                named = [i for i, title in enumerate(first) if title.lower() in _LABEL_COLUMNS]
                column, first = (named[0] if named else -1), next(rows, None)
            if not first or len(first) < 2:
                raise UserError(
                    f"{file.name} has no row of pixels and a label", "write one image a row"
                )
            shape = _shaped(len(first) - 1, size, file.name)
            yield _row(file.name, 0, first, column, shape)
            for index, row in enumerate(rows, start=1):
                yield _row(file.name, index, row, column, shape)


def _lines(stream: IO[bytes], name: str) -> Iterator[str]:
    while line := stream.readline(_LINE_CHARACTERS):
        if len(line) == _LINE_CHARACTERS:
            raise UserError(f"{name} has a line without end", "write one image a row")
        yield line.decode("utf-8-sig", errors="replace")


def _row(name: str, index: int, row: list[str], column: int, shape: tuple[int, int]) -> Record:
    cells = list(row)
    label = cells.pop(column).strip() if cells else ""
    if len(cells) != math.prod(shape) or not label:
        fault = BadImage("row", f"{len(cells)} values and a label; expected {math.prod(shape)}")
        return Record(name, index, label, fault)
    if not all(map(_is_number, cells)):
        return Record(name, index, label, BadImage("row", "not every value is a number"))
    return Record(name, index, label, np.array([float(cell) for cell in cells]).reshape(shape))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
