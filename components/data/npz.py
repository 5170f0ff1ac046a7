"""Npz: arrays of images and of labels, and perhaps of splits and groups, in an archive of numpy.

Headers are compared with each other, with the length that the archive states and with limits
before anything is unpacked.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Collection, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from components.contract.archives import check_unpackable
from components.contract.errors import UserError
from components.contract.source import Source
from components.data.npz_headers import ArrayHeader
from components.data.npz_labels import label_name, labels_of
from components.data.placing import SPLIT_WORDS
from components.data.record import Record, RecordFormat, damage, images_of

PAIRS = {
    ("x", "y"): "",
    ("images", "labels"): "",
    **{(f"x_{word}", f"y_{word}"): word for word in SPLIT_WORDS},
    **{(f"{word}_images", f"{word}_labels"): word for word in SPLIT_WORDS},
}
"""Names of arrays of images and of their labels, and the split that they say."""
_SPLITS, _GROUPS = ("splits", "split"), ("groups", "group")


def npz_records(source: Source, form: RecordFormat) -> Iterator[Record]:
    """Read the arrays of images and labels that an archive holds under their usual names.

    Names such as ``x_train`` and ``x_test`` are a split of the data itself. What else has the shape
    of images is told by ``npz_unread.unread_arrays``.

    Args:
        source: Of the format ``npz``.
        form: The shape of images that came as rows, and how large they may be.

    Raises:
        UserError: The file is damaged, its arrays are not images and a label for each, or only
            some of them are called as splits.
    """
    for file in source.files:
        with damage(file.name), zipfile.ZipFile(source.verified(file)) as archive:
            check_unpackable(archive, file.name)
            members = {name.removesuffix(".npy") for name in archive.namelist()}
            pairs = [pair for pair in PAIRS if members.issuperset(pair)]
            if not pairs:
                raise UserError(
                    f"{file.name} holds the arrays {', '.join(sorted(members)) or 'none'}; "
                    "expected x and y, or images and labels",
                    "save it with np.savez_compressed(path, images=..., labels=...)",
                )
            divided = len(pairs) > 1 and any(PAIRS[pair] for pair in pairs)
            if divided and not all(PAIRS[pair] for pair in pairs):
                plain, word = (next(pair for pair in pairs if bool(PAIRS[pair]) is said)
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
                word = PAIRS[images_name, labels_name] if divided else None
                images = ArrayHeader.read(archive, images_name, file.name)
                labels = ArrayHeader.read(archive, labels_name, file.name)
                shape = _image_shape(images, labels, form)
                names = labels_of(archive, labels)
                splits, groups = (_said(archive, name, labels, file.name) for name in beside)
                with archive.open(images.member) as stream:
                    ArrayHeader.skip(stream, images.where)
                    rows = images_of(stream, shape, images.dtype, images.where)
                    for number, pixels in enumerate(rows):
                        split, group = _text(splits, number), _text(groups, number)
                        yield Record(
                            file.name, index, label_name(names[number]), pixels,
                            split.lower() if split else word, group,
                        )  # fmt: skip
                        index += 1


def _image_shape(images: ArrayHeader, labels: ArrayHeader, form: RecordFormat) -> tuple[int, ...]:
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
    archive: zipfile.ZipFile, name: str | None, labels: ArrayHeader, file: str
) -> NDArray[np.generic] | None:
    """Return what an array says of each image; None where there is none."""
    if name is None:
        return None
    header = ArrayHeader.read(archive, name, file)
    if header.shape[:1] != labels.shape[:1]:
        raise UserError(
            f"{header.where} has the shape {header.shape}; expected one whole number or name an "
            "image",
            f"save one an image, or leave {name} out",
        )
    return labels_of(archive, header)


def _text(values: NDArray[np.generic] | None, number: int) -> str | None:
    """Return what an array says of an image, or None where it says nothing."""
    return None if values is None else label_name(values[number]) or None
