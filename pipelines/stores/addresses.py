"""Addresses under which programs without credentials may find what a store holds."""

from __future__ import annotations

from pipelines.stores.bucket_uri import parse_place

_SERVICE = "https://storage.googleapis.com"


def public_address(uri: str) -> str | None:
    """Return what the addresses of values in a store begin with; None for a folder.

    Whether anybody may read there is the bucket's owner's to decide.

    Example:
        >>> public_address("gs://models/faces")
        'https://storage.googleapis.com/models/faces'
    """
    if not uri.startswith("gs://"):
        return None
    bucket, prefix = parse_place(uri)
    return f"{_SERVICE}/{bucket}/{prefix}".rstrip("/")
