"""Idx: the files of MNIST, one of images beside one of labels, and perhaps one of groups."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np

from components.contract.errors import UserError
from components.contract.source import IDX_GROUPS, IDX_IMAGES, IDX_LABELS, Source, SourceFile
from components.data.record import (
    LABEL_BYTES_MAX,
    Record,
    RecordFormat,
    damage,
    images_of,
    unpacked,
)

_UBYTE = 0x08


def idx_records(source: Source, form: RecordFormat) -> Iterator[Record]:
    """Read the layout of MNIST: the official training and test files are one pool of images.

    Args:
        source: Of the format ``idx``.
        form: Of which the largest size counts.

    Raises:
        UserError: A file of labels is missing, or a file is damaged or not what its name says.
    """
    files = {file.name: file for file in source.files}
    for name, file in files.items():
        found = re.fullmatch(IDX_IMAGES, name)
        if not found:
            continue
        stem = found["stem"]
        labelled, grouped = (_beside(files, kind, stem) for kind in (IDX_LABELS, IDX_GROUPS))
        if labelled is None:
            raise UserError(
                f"{name} has no file of labels beside it", f"add {stem}labels-idx1-ubyte.gz"
            )
        labels = _numbers(source.verified(files[labelled]), labelled, "labels")
        groups = grouped and _numbers(source.verified(files[grouped]), grouped, "groups")
        if groups and len(groups) != len(labels):
            raise UserError(
                f"{grouped} has {len(groups)} groups and {labelled} {len(labels)} labels",
                f"write one group an image, or remove {grouped}",
            )
        for record in _images(source.verified(file), file, labels, form):
            yield replace(record, group=str(groups[record.index])) if groups else record


def _beside(files: Iterable[str], kind: str, stem: str) -> str | None:
    """Return the name of the file of a kind that belongs to the images with this stem."""
    matches = ((name, re.fullmatch(kind, name)) for name in files)
    return next((name for name, match in matches if match and match["stem"] == stem), None)


def _header(stream: IO[bytes], name: str, dimensions: tuple[int, ...]) -> tuple[int, ...]:
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


def _numbers(path: Path, name: str, what: str) -> bytes:
    """Return the labels or groups of images, a byte each."""
    with damage(name), unpacked(path) as stream:
        (count,) = _header(stream, name, (1,))
        if count > LABEL_BYTES_MAX:
            raise UserError(
                f"{name} says {count} {what}; at most {LABEL_BYTES_MAX} are read",
                "fetch the file again; or divide it, and the images, into several of the names "
                "a-images-idx3-ubyte and a-labels-idx1-ubyte, b-images and so on",
            )
        numbers = stream.read(count + 1)
    if len(numbers) != count:
        held = "more" if len(numbers) > count else len(numbers)
        raise UserError(f"{name} says {count} {what} and holds {held}", "fetch the file again")
    return numbers


def _images(path: Path, file: SourceFile, labels: bytes, form: RecordFormat) -> Iterator[Record]:
    with damage(file.name), unpacked(path) as stream:
        count, *shape = _header(stream, file.name, (3, 4))
        if count != len(labels):
            raise UserError(
                f"{file.name} has {count} images and {len(labels)} labels",
                "fetch both files again",
            )
        if 0 in shape or (len(shape) == 3 and shape[2] not in (1, 3)):
            raise UserError(
                f"{file.name} holds images of shape {shape}; expected height x width, or height x "
                "width x 1 or 3",
                "write images of 1 or 3 channels, each side above 0",
            )
        form.check_size(tuple(shape), file.name)
        images = images_of(stream, (count, *shape), np.dtype(np.uint8), file.name)
        for index, pixels in enumerate(images):
            yield Record(file.name, index, str(labels[index]), pixels)
        if stream.read(1):
            raise UserError(f"{file.name} goes on after {count} images", "fetch it again")
