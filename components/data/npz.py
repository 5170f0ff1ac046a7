"""Npz: arrays of images and of labels, and perhaps of splits and groups, in an archive of numpy.

Headers are compared with each other, with the length that the archive states and with limits
before anything is unpacked.
"""

from __future__ import annotations

import contextlib
import math
import zipfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from components.contract.errors import UserError
from components.contract.source import Source
from components.data.placing import SPLIT_WORDS
from components.data.record import LABEL_BYTES_MAX, Record, RecordFormat, damage, images_of

_PAIRS = {
    ("x", "y"): "",
    ("images", "labels"): "",
    **{(f"x_{word}", f"y_{word}"): word for word in SPLIT_WORDS},
    **{(f"{word}_images", f"{word}_labels"): word for word in SPLIT_WORDS},
}
"""Names of arrays of images and of their labels, and the split that they say."""
_SPLITS, _GROUPS = ("splits", "split"), ("groups", "group")
_WRITE_AGAIN = "fetch or write the file again"


def npz_records(source: Source, form: RecordFormat) -> Iterator[Record]:
    """Read the arrays of images and labels that an archive holds under their usual names.

    Names such as ``x_train`` and ``x_test`` are a split of the data itself. What else has the shape
    of images is told by ``unread_arrays``.

    Args:
        source: Of the format ``npz``.
        form: The shape of images that came as rows, and how large they may be.

    Raises:
        UserError: The file is damaged, its arrays are not images and a label for each, or only
            some of them are called as splits.
    """
    for file in source.files:
        with damage(file.name), zipfile.ZipFile(source.verified(file)) as archive:
            members = {name.removesuffix(".npy") for name in archive.namelist()}
            pairs = [pair for pair in _PAIRS if members.issuperset(pair)]
            if not pairs:
                raise UserError(
                    f"{file.name} holds the arrays {', '.join(sorted(members)) or 'none'}; "
                    "expected x and y, or images and labels",
                    "save it with np.savez_compressed(path, images=..., labels=...)",
                )
            divided = len(pairs) > 1 and any(_PAIRS[pair] for pair in pairs)
            if divided and not all(_PAIRS[pair] for pair in pairs):
                plain, word = (next(pair for pair in pairs if bool(_PAIRS[pair]) is said)
                               for said in (False, True))  # fmt: skip
                raise UserError(
                    f"{file.name} holds {' and '.join(plain)} beside {' and '.join(word)}: nothing "
                    "says whether the first are to be trained on",
                    f"save {plain[0]} as x_train and {plain[1]} as y_train; or leave them out, "
                    "where others hold the same",
                )
            beside = [_named(members, names, pairs, file.name) for names in (_SPLITS, _GROUPS)]
            index = 0
            for images_name, labels_name in pairs:
                word = _PAIRS[images_name, labels_name] if divided else None
                images = _Header.read(archive, images_name, file.name)
                labels = _Header.read(archive, labels_name, file.name)
                shape = _image_shape(images, labels, form)
                names = _labels(archive, labels)
                splits, groups = (_said(archive, name, labels, file.name) for name in beside)
                with archive.open(images.member) as stream:
                    _Header.skip(stream, images.where)
                    rows = images_of(stream, shape, images.dtype, images.where)
                    for number, pixels in enumerate(rows):
                        split, group = _text(splits, number), _text(groups, number)
                        yield Record(
                            file.name, index, _label(names[number]), pixels,
                            split.lower() if split else word, group,
                        )  # fmt: skip
                        index += 1


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
        pairs = [pair for pair in _PAIRS if members.issuperset(pair)]
        shapes = {_Header.read(archive, images, name).shape[1:] for images, _ in pairs}
        for other in sorted(members - {one for pair in pairs for one in pair}):
            with contextlib.suppress(UserError):  # of what is not read, faults are of no account
                shape = _Header.read(archive, other, name).shape
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


@dataclass(frozen=True)
class _Header:
    """What an archive says of one of its arrays.

    Attributes:
        member: Its file in the archive.
        where: Its name for errors.
        shape: Of the array.
        dtype: Of the array, never of Python objects.
    """

    member: str
    where: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def name(self) -> str:
        """The array's own name."""
        return self.member.removesuffix(".npy")

    @property
    def size_bytes(self) -> int:
        """Length of the array in memory."""
        return math.prod(self.shape) * self.dtype.itemsize

    @classmethod
    def read(cls, archive: zipfile.ZipFile, name: str, file: str) -> _Header:
        """Read shape and type of an array; never its content, which could be a pickle."""
        member, where = f"{name}.npy", f"{file}[{name}]"
        with archive.open(member) as stream:
            shape, fortran, dtype = cls.skip(stream, where)
            start = stream.tell()
        if dtype.hasobject:
            raise UserError(
                f"{where} holds Python objects, which could run code when they are read",
                f"save names, of images that have one, as np.array({name}, dtype=str); images of "
                f"one size as one array of numbers: np.stack({name})",
            )
        if fortran and len(shape) > 1:
            raise UserError(
                f"{where} is in Fortran order", f"save np.ascontiguousarray({name}) in its place"
            )
        header = cls(member, where, shape, dtype)
        held = archive.getinfo(member).file_size - start
        if header.size_bytes > held:
            raise UserError(
                f"{where} ends early: it says {dtype} of shape {shape}, which are "
                f"{header.size_bytes} bytes, and holds {held}",
                _WRITE_AGAIN,
            )
        return header

    @staticmethod
    def skip(stream: IO[bytes], where: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
        """Read what stands before the numbers: shape, whether in Fortran order, type."""
        try:
            version = np.lib.format.read_magic(stream)
            read = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }[version]
            return read(stream)
        except (ValueError, KeyError) as error:
            raise UserError(
                f"{where} is no numpy array: {error}",
                "save it again with np.savez_compressed(path, images=..., labels=...)",
            ) from None


def _image_shape(images: _Header, labels: _Header, form: RecordFormat) -> tuple[int, ...]:
    """Return how many images there are and the shape of each."""
    shape, where, name = images.shape, images.where, images.name
    if images.dtype.kind not in "iufb":
        raise UserError(
            f"{where} is {images.dtype}; expected numbers, whole or floats",
            f"save {name}.astype('uint8') in its place",
        )
    if len(shape) == 2:
        shape = (shape[0], *form.shaped(shape[1], where))
    if not (len(shape) == 3 or (len(shape) == 4 and shape[3] in (1, 3))) or 0 in shape[1:]:
        raise UserError(
            f"{where} has the shape {shape}; expected images x height x width, "
            "or images x height x width x 1 or 3",
            _reshaping(shape, labels.shape[0] if labels.shape else 0, name),
        )
    if labels.shape[:1] != shape[:1]:
        count = labels.shape[0] if labels.shape else 1
        fix = "save one label an image"
        if math.prod(labels.shape) == shape[0]:
            fix = f"save {labels.name}.reshape(-1) in its place"
        raise UserError(f"{where} has {shape[0]} images and {count} labels", fix)
    form.check_size(shape[1:], where)
    return shape


def _reshaping(shape: Sequence[int], labels: int, name: str) -> str:
    """Return the edit that makes images of an array of this shape."""
    if len(shape) == 4 and shape[0] == labels and shape[1] in (1, 3):
        return f"save {name}.transpose(0, 2, 3, 1) in its place"
    if len(shape) == 4 and shape[3] == labels and shape[2] in (1, 3):
        return f"save {name}.transpose(3, 0, 1, 2) in its place"
    if len(shape) == 4 and shape[3] == 4:
        return f"save {name}[..., :3] in its place, which leaves transparency out"
    return "save images x height x width x 1 or 3, each of these above 0"


def _labels(archive: zipfile.ZipFile, header: _Header) -> NDArray[np.generic]:
    """Return the labels, one an image.

    Raises:
        UserError: They are not one whole number or name an image, or too long for the memory.
    """
    where, name, dtype, shape = header.where, header.name, header.dtype, header.shape
    if dtype.kind not in "iubfUS" or shape not in ((shape[0],), (shape[0], 1)):
        raise UserError(
            f"{where} is {dtype} of shape {shape}; expected one whole number or name an image",
            _relabelling(header),
        )
    if header.size_bytes > LABEL_BYTES_MAX:
        raise UserError(
            f"{where} is {dtype} of shape {shape}, which are {header.size_bytes} bytes of labels; "
            f"at most {LABEL_BYTES_MAX} are read",
            f"save them as whole numbers: np.unique({name}, return_inverse=True)[1]"
            ".astype('uint16')"
            if dtype.itemsize > 2
            else f"save fewer images, and as many labels: {name}[:{LABEL_BYTES_MAX // 2}]",
        )
    with archive.open(header.member) as stream:
        _Header.skip(stream, where)
        data = stream.read(header.size_bytes)
    if len(data) != header.size_bytes:
        raise UserError(f"{where} ends early", _WRITE_AGAIN)
    values = np.frombuffer(data, dtype)
    if dtype.kind != "f":
        return values
    if not np.all(np.isfinite(values) & (values == np.floor(values))):
        other = values[~(np.isfinite(values) & (values == np.floor(values)))][0]
        raise UserError(
            f"{where} holds {other}, which is no whole number; expected the class of each image",
            f"save the classes as names: {name}.astype(str)"
            if np.isfinite(other)
            else f"keep the images that have one: with kept = np.isfinite({name}), save "
            f"{name}[kept] in its place, and so the images",
        )
    if np.abs(values.astype(np.float64)).max(initial=0) >= 2**53:
        raise UserError(
            f"{where} holds floats beyond 2^53, which are no exact whole numbers",
            f"save the classes as names: {name}.astype(str)",
        )
    return values.astype(np.int64)


def _named(
    members: Collection[str], names: Sequence[str], pairs: Sequence[object], file: str
) -> str | None:
    """Return the one array of an archive that says of each image what these names do.

    Raises:
        UserError: There are two, or it is not known of which images.
    """
    found = [name for name in names if name in members]
    if found and (len(found) > 1 or len(pairs) > 1):
        whose = "" if len(found) > 1 else " and more than one array of images"
        raise UserError(
            f"{file} holds the arrays {' and '.join(found)}{whose}",
            f"save one array of images, one of labels and one called {names[0]}",
        )
    return found[0] if found else None


def _said(
    archive: zipfile.ZipFile, name: str | None, labels: _Header, file: str
) -> NDArray[np.generic] | None:
    """Return what an array says of each image; None where there is none."""
    if name is None:
        return None
    header = _Header.read(archive, name, file)
    if header.shape[:1] != labels.shape[:1]:
        raise UserError(
            f"{header.where} has the shape {header.shape}; expected one whole number or name an "
            "image",
            f"save one an image, or leave {name} out",
        )
    return _labels(archive, header)


def _text(values: NDArray[np.generic] | None, number: int) -> str | None:
    """Return what an array says of an image, or None where it says nothing."""
    return None if values is None else _label(values[number]) or None


def _relabelling(header: _Header) -> str:
    """Return the edit that makes labels of an array that is none."""
    name, shape = header.name, header.shape
    if header.dtype.kind not in "iubfUS":
        return f"save the classes as names: {name}.astype(str)"
    if len(shape) == 2 and shape[1] > 1 and header.dtype.kind in "US":
        return f"save the column that names the class: {name}[:, 0]"
    if len(shape) == 2 and shape[1] > 1:
        return (
            f"save labels in place of one row an image: {name}.argmax(axis=1); that is right where "
            "each row marks one class: several classes of one image are not learnt"
        )
    if shape and math.prod(shape[1:]) == 1:
        return f"save {name}.reshape(-1) in its place"
    return "save one label an image"


def _label(value: np.generic) -> str:
    """Return the name of a class as text."""
    item = value.item()
    return item.decode(errors="backslashreplace") if isinstance(item, bytes) else str(item)
