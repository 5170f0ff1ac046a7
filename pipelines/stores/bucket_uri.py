"""Places in a bucket, as people write them."""

from __future__ import annotations

import os
import re

from components.contract.errors import UserError
from pipelines.stores.store import KEY_CHARACTERS_MAX

SCHEMES = ("gs", "s3", "minio")
"""Google Cloud Storage, and services that speak S3; ``minio`` is one at an address of its own."""

_S3 = (r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "3 to 63 of a-z 0-9 . -")
_BUCKETS = {
    "gs": (r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]", "3 to 222 of a-z 0-9 . _ -"),
    "s3": _S3,
    "minio": _S3,
}
_PREFIX = r"[A-Za-z0-9._/=-]*"
_NAME_BYTES_MAX = 1024
"""Longest name of an object that the services take."""

_PREFIX_BYTES_MAX = _NAME_BYTES_MAX - KEY_CHARACTERS_MAX


def scheme_of(uri: str) -> str:
    """Return the kind of bucket that an address is of, one of ``SCHEMES``; empty for no bucket."""
    scheme, separator, _ = uri.partition("://")
    return scheme if separator and scheme in SCHEMES else ""


def listing_command(uri: str, bucket: str) -> str:
    """Return the command that shows people what lies in a bucket."""
    if scheme_of(uri) == "gs":
        return f"gcloud storage ls gs://{bucket}"
    return f"aws s3 ls s3://{bucket}/"


def parse_place(uri: str) -> tuple[str, str]:
    """Split ``gs://bucket/prefix`` into bucket and prefix; the prefix is empty or ends in ``/``.

    Raises:
        UserError: It is malformed.
    """
    scheme = scheme_of(uri) or "gs"
    bucket, characters = _BUCKETS[scheme]
    found = re.fullmatch(rf"{scheme}://({bucket})(?:/({_PREFIX}))?", uri)
    prefix = (found[2] or "").rstrip("/") if found else ""
    segments = prefix.split("/") if prefix else []
    if not found or not {"", ".", ".."}.isdisjoint(segments):
        raise UserError(
            f"{uri!r} names no place in a bucket: expected {scheme}://bucket or "
            f"{scheme}://bucket/prefix, the bucket in {characters}, the prefix in "
            "A-Z a-z 0-9 . _ = - /",
            f"write it like {scheme}://my-bucket/slimline",
        )
    if len(prefix) >= _PREFIX_BYTES_MAX:
        raise UserError(
            f"the prefix of {uri!r} has {len(prefix)} characters: expected fewer than "
            f"{_PREFIX_BYTES_MAX}, so that with what is stored below it no name gets longer than "
            f"the {_NAME_BYTES_MAX} bytes of the service",
            f"give a shorter prefix, like {scheme}://my-bucket/slimline",
        )
    return found[1], f"{prefix}/" if prefix else ""


def parse_object(uri: str) -> tuple[str, str]:
    """Split ``gs://bucket/name`` into bucket and name, which may be empty or end in ``/``.

    Raises:
        UserError: It is malformed.
    """
    scheme = scheme_of(uri) or "gs"
    bucket, characters = _BUCKETS[scheme]
    found = re.fullmatch(rf"{scheme}://({bucket})(?:/(.*))?", uri)
    name = (found[2] or "") if found else ""
    segments = name.removesuffix("/").split("/") if name else []
    if not found or not {"", ".", ".."}.isdisjoint(segments):
        raise UserError(
            f"{uri!r} names nothing in a bucket: expected {scheme}://bucket, "
            f"{scheme}://bucket/folder or {scheme}://bucket/file, the bucket in {characters}, no "
            "part empty, . or ..",
            f"write it like {scheme}://my-bucket/faces",
        )
    size = len(os.fsencode(name))
    if size > _NAME_BYTES_MAX:
        raise UserError(
            f"{uri!r} names nothing in a bucket: the name of an object has at most "
            f"{_NAME_BYTES_MAX} bytes, this one has {size}",
            f"correct the name: {listing_command(uri, found[1])}",
        )
    return found[1], name
