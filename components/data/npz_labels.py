"""Labels in an ``.npz`` file: one whole number or name an image."""

from __future__ import annotations

import math
import zipfile

import numpy as np
from numpy.typing import NDArray

from components.contract.errors import UserError
from components.data.npz_headers import WRITE_AGAIN, ArrayHeader
from components.data.record import LABEL_BYTES_MAX


def labels_of(archive: zipfile.ZipFile, header: ArrayHeader) -> NDArray[np.generic]:
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
        ArrayHeader.skip(stream, where)
        data = stream.read(header.size_bytes)
    if len(data) != header.size_bytes:
        raise UserError(f"{where} ends early", WRITE_AGAIN)
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


def label_name(value: np.generic) -> str:
    """Return the name of a class as text."""
    item = value.item()
    return item.decode(errors="backslashreplace") if isinstance(item, bytes) else str(item)


def _relabelling(header: ArrayHeader) -> str:
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
