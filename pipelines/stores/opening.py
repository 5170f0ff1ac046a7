"""Opening a store by its address."""

from __future__ import annotations

import re
from pathlib import Path

from components.contract.errors import UserError, suggest
from pipelines.disk.cache_folder import cache_folder
from pipelines.disk.names import absolute
from pipelines.stores.bucket_uri import SCHEMES
from pipelines.stores.directory import DirectoryStore
from pipelines.stores.store import Store

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


def open_store(uri: str, *, cache: Path | None = None, direct: bool = False) -> Store:
    """Open the store at a folder or in a bucket.

    Args:
        uri: A folder, which is made by the first write, or ``gs://bucket/prefix``, or the
            same with ``s3`` or ``minio``.
        cache: Folder for blobs that were downloaded, shared by all processes of this machine
            (None: ``cache_folder``). A directory store needs none.
        direct: Read every byte from the bucket itself.

    Raises:
        UserError: No such kind of store, a path that is no folder, a bucket that is missing,
            forbidden or not to be reached, or an extra that is not installed.
    """
    scheme = _SCHEME.match(uri)
    if scheme is None:
        return DirectoryStore(_folder(uri))
    if scheme[1] not in SCHEMES:
        raise UserError(
            f"store {uri!r}: there is no store of the kind {scheme[1]!r}",
            suggest(
                f"{scheme[1]}://bucket/prefix",
                (*(f"{one}://bucket/prefix" for one in SCHEMES), "./folder"),
            ),
        )
    from pipelines.stores.bucket import BucketStore
    from pipelines.stores.read_through import ReadThroughStore

    store = BucketStore(uri)
    return store if direct else ReadThroughStore(store, cache or cache_folder())


def _folder(uri: str) -> Path:
    if not uri.strip() or "\0" in uri:
        raise UserError(f"store {uri!r} names no folder", "give a folder such as ./slimline-store")
    return absolute(uri)
