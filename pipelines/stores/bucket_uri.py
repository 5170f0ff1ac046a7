"""Places in a bucket, as people write them."""

from __future__ import annotations

import os
import re

from components.contract.errors import UserError
from pipelines.stores.store import KEY_CHARACTERS_MAX

_BUCKET = r"gs://([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])"
_PLACE = re.compile(rf"{_BUCKET}(?:/([A-Za-z0-9._/=-]*))?")
_OBJECT = re.compile(rf"{_BUCKET}(?:/(.*))?")
_NAME_BYTES_MAX = 1024
"""Longest name of an object that the service takes."""

_PREFIX_BYTES_MAX = _NAME_BYTES_MAX - KEY_CHARACTERS_MAX


def parse_place(uri: str) -> tuple[str, str]:
    """Split ``gs://bucket/prefix`` into bucket and prefix; the prefix is empty or ends in ``/``.

    Raises:
        UserError: It is malformed.
    """
    found = _PLACE.fullmatch(uri)
    prefix = (found[2] or "").rstrip("/") if found else ""
    segments = prefix.split("/") if prefix else []
    if not found or not {"", ".", ".."}.isdisjoint(segments):
        raise UserError(
            f"{uri!r} names no place in a bucket: expected gs://bucket or gs://bucket/prefix, the "
            "bucket in 3 to 222 of a-z 0-9 . _ -, the prefix in A-Z a-z 0-9 . _ = - /",
            "write it like gs://my-bucket/slimline",
        )
    if len(prefix) >= _PREFIX_BYTES_MAX:
        raise UserError(
            f"the prefix of {uri!r} has {len(prefix)} characters: expected fewer than "
            f"{_PREFIX_BYTES_MAX}, so that with what is stored below it no name gets longer than "
            f"the {_NAME_BYTES_MAX} bytes of the service",
            "give a shorter prefix, like gs://my-bucket/slimline",
        )
    return found[1], f"{prefix}/" if prefix else ""


def parse_object(uri: str) -> tuple[str, str]:
    """Split ``gs://bucket/name`` into bucket and name, which may be empty or end in ``/``.

    Raises:
        UserError: It is malformed.
    """
    found = _OBJECT.fullmatch(uri)
    name = (found[2] or "") if found else ""
    segments = name.removesuffix("/").split("/") if name else []
    if not found or not {"", ".", ".."}.isdisjoint(segments):
        raise UserError(
            f"{uri!r} names nothing in a bucket: expected gs://bucket, gs://bucket/folder or "
            "gs://bucket/file, the bucket in 3 to 222 of a-z 0-9 . _ -, no part empty, . or ..",
            "write it like gs://my-bucket/faces",
        )
    size = len(os.fsencode(name))
    if size > _NAME_BYTES_MAX:
        raise UserError(
            f"{uri!r} names nothing in a bucket: the name of an object has at most "
            f"{_NAME_BYTES_MAX} bytes, this one has {size}",
            f"correct the name: gcloud storage ls gs://{found[1]}",
        )
    return found[1], name
