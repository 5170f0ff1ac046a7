"""What an erasure removes outside of the store: on this machine, and in the buckets of clusters."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from pipelines.disk.cache_folder import cache_places
from pipelines.disk.scratch import scratch_folder, scratch_root
from pipelines.retention.planning_erasure import ARRAYS
from pipelines.runs.workspace import workspace_root
from pipelines.stores.bucket_uri import parse_object
from pipelines.stores.directory import DirectoryStore
from pipelines.stores.layout import blob_key
from pipelines.stores.services import open_objects
from pipelines.stores.store import Store


def clear_this_machine(store: Store, keys: Iterable[str], files: Iterable[str], name: str) -> int:
    """Remove what this machine keeps of values and files: copies, checksums, the index.

    Args:
        store: Whose scratch folders of dead runs go, too.
        keys: Keys of blobs.
        files: sha256 of the user's files.
        name: Of the erasure: no other scratch folder is called so.

    Returns:
        How many values and rows went.
    """
    removed = 0
    shas = list(files)
    for folder in cache_places():
        if folder.is_dir():
            removed += _clear_blobs(folder, {*keys, *map(blob_key, shas)})
            removed += _clear_checksums(folder / "checksums.sqlite", shas)
            if (folder / "index").is_dir():  # names of people stand in it; questions make it anew
                shutil.rmtree(folder / "index")
                removed += 1
    for root in {workspace_root(store), scratch_root()}:
        with scratch_folder(root, name):  # whoever begins sweeps what the dead left
            pass
    return removed


def _clear_blobs(folder: Path, keys: Iterable[str]) -> int:
    cache, removed = DirectoryStore(folder, durable=False), 0
    for key in keys:
        stat = cache.stat(key)
        removed += bool(stat and cache.delete_if_match(key, stat.version))
    return removed


def _clear_checksums(path: Path, files: list[str]) -> int:
    """Forget the rows of files, whose paths may name somebody, and their bytes in free pages."""
    if not path.is_file():
        return 0
    removed = 0
    with contextlib.closing(sqlite3.connect(path, timeout=60)) as database:
        database.execute("PRAGMA secure_delete = ON")
        for table in ("files", "objects"):
            with contextlib.suppress(sqlite3.OperationalError), database:  # no such table
                for sha256 in files:
                    gone = database.execute(f"DELETE FROM {table} WHERE sha256 = ?", (sha256,))  # noqa: S608
                    removed += gone.rowcount
        database.execute("VACUUM")
    return removed


def clear_folder(place: str, *, arrays_and_pages: bool = False) -> int:
    """Remove the objects of a folder in a bucket.

    Args:
        place: ``gs://bucket/prefix``.
        arrays_and_pages: Only these: what may show single images.

    Returns:
        How many went.

    Raises:
        UserError: The bucket cannot be reached or written.
    """
    bucket, prefix = parse_object(place)
    objects, removed = open_objects(place, bucket), 0
    for found in list(objects.list(f"{prefix}/", details=True)):
        if not arrays_and_pages or found.name.endswith((*ARRAYS, ".html")):
            removed += objects.delete(found.name, found.version)
    return removed
