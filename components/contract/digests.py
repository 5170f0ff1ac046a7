"""Digests of values and of files: what identity means in slimline."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path

_JSON = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)

_PLAIN = frozenset({str, bool, int})


def canonical_json(value: object) -> bytes:
    """Return the one JSON text of ``value``: sorted keys, no spaces, UTF-8.

    Raises:
        TypeError: ``value`` holds something that JSON does not have, a key that is not a string,
            or a number that is not finite. An unhashable value is a bug, never skipped.
    """
    _check(value, "$")
    return _JSON.encode(value).encode()


def _check(value: object, where: str) -> None:
    if value is None or isinstance(value, str | bool | int):
        return
    if isinstance(value, float):
        if not math.isfinite(value):
            raise TypeError(f"{where} is {value}: no canonical form")
        return
    if isinstance(value, Mapping):
        for key, item in value.items():  # pyright: ignore[reportUnknownVariableType]
            if not isinstance(key, str):
                raise TypeError(f"{where} has the key {key!r}: keys are strings")
            if item is None or type(item) in _PLAIN:  # pyright: ignore[reportUnknownArgumentType]
                continue  # nearly all there is: a call for each would take as long as writing it
            _check(item, f"{where}.{key}")  # pyright: ignore[reportUnknownArgumentType]
        return
    if isinstance(value, list | tuple):
        for index, item in enumerate(value):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
            _check(item, f"{where}[{index}]")  # pyright: ignore[reportUnknownArgumentType]
        return
    raise TypeError(f"{where} is a {type(value).__name__}: no canonical form")


def digest(kind: str, value: object) -> str:
    """Return the sha256 of ``value`` tagged with its ``kind``, as 64 hexadecimal digits.

    The tag keeps a step key from ever equalling, say, a tree digest of the same JSON.
    """
    return hashlib.sha256(canonical_json([kind, value])).hexdigest()


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file's bytes as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
