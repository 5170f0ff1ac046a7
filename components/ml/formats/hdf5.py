"""HDF5 files from outside: opened for their own data alone."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from components.contract.errors import UserError
from components.ml.formats import size_limits


@contextmanager
def opened(path: Path, name: str) -> Generator[Any]:
    """Open a file for reading.

    Links to other files and data kept outside are refused: what they point at on this machine
    would end up in a model that is given away. So are arrays that say they are larger than any
    that is read.

    Args:
        path: The file.
        name: How an error calls it.

    Raises:
        UserError: It is no HDF5 file, is damaged, too large, or points outside.
    """
    try:
        with h5py.File(path, "r") as file:
            _check(file, name)
            size_limits.check_file_bytes(size_limits.declared_bytes(file), name)
            yield file
    except (OSError, KeyError, RuntimeError) as error:
        raise UserError(
            f"{name} cannot be read as HDF5: {error}", "write or download the file again"
        ) from error


def texts(group: Any, attribute: str) -> list[str]:
    """Read a list of names; Keras cuts long lists into numbered attributes.

    Raises:
        KeyError: There is none.
    """
    attributes: Mapping[str, Any] = group.attrs
    parts: list[Any] = []
    if attribute in attributes:
        parts.extend(attributes[attribute])
    elif f"{attribute}0" not in attributes:
        raise KeyError(f"no attribute {attribute!r}")
    number = 0
    while f"{attribute}{number}" in attributes:
        parts.extend(attributes[f"{attribute}{number}"])
        number += 1
    return [text(part) for part in parts]


def text(value: Any) -> str:
    """Return a text attribute, which old versions wrote as bytes."""
    return value.decode() if isinstance(value, bytes) else str(value)


def _check(group: Any, name: str) -> None:
    for key in group:
        link = group.get(key, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise _outside(name, key)
        item = group[key]
        if isinstance(item, h5py.Group):
            _check(item, name)
        elif isinstance(item, h5py.Dataset) and (item.external or item.is_virtual):
            raise _outside(name, key)


def _outside(name: str, key: str) -> UserError:
    return UserError(
        f"{name}: {key!r} lies in another file, so the file was not opened any further",
        "save the model again as one file",
    )
