"""The pipeline root: opened by this machine, and sources written into it, once for all runs."""

from __future__ import annotations

import contextlib
import json
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path

from components.contract.source import SourceFile
from pipelines.runs.kept.kept_sources import KeptSource
from pipelines.sources import snapshot
from pipelines.sources.snapshot import Snapshot
from pipelines.stores.bucket import BucketStore
from pipelines.stores.bucket_uri import parse_object
from pipelines.stores.call_each import call_each
from pipelines.stores.layout import SOURCES
from pipelines.stores.objects import ABSENT, THREADS, Objects, OtherVersion
from pipelines.stores.services import open_objects
from pipelines.stores.store import KeyMissing, Store

_LISTING = "source.json"


def open_root(uri: str) -> BucketStore:
    """Open a pipeline root to read what runs left there, and to write versions and sources.

    Objects lie there as pods wrote them and as they read them. The service need not know
    conditional writes: a name says what lies under it, so who comes second writes the same bytes.

    Args:
        uri: ``gs://bucket/prefix``, ``s3://bucket/prefix`` or ``minio://bucket/prefix``.

    Raises:
        UserError: It cannot be reached.
    """
    return BucketStore(uri, root=True)


def stage(taken: Snapshot, place: str, scratch: Path) -> None:
    """Make sure that a source lies at its place, whole.

    The place is named by the source's digest, so what is there is right, and the listing, which is
    written last, says that all of it is there.

    Args:
        taken: The source.
        place: The place in the pipeline root that the pipeline imports.
        scratch: A folder of this machine for what is on its way.

    Raises:
        UserError: The bucket cannot be written, or the user's files changed since they were listed.
    """
    bucket, prefix = parse_object(place)
    objects = open_objects(place, bucket)
    if objects.look(f"{prefix}/{_LISTING}") is not None:
        return
    with tempfile.TemporaryDirectory(prefix="source-", dir=scratch) as temporary:
        folder = Path(temporary, "source")
        snapshot.stage(taken, folder)
        call_each(
            lambda name: _write(objects, f"{prefix}/files/{name}", folder / "files" / name),
            ((file.name,) for file in taken.files if file.readable),
            THREADS,
        )
        _write(objects, f"{prefix}/{_LISTING}", folder / _LISTING)


def staged_listing(root: Store, digest: str) -> KeptSource | None:
    """Return the listing of a source that was staged into a pipeline root.

    Args:
        root: The pipeline root.
        digest: Of the source.

    Returns:
        The listing, or None where none lies there that has this digest.
    """
    try:
        content = json.loads(root.get(f"{SOURCES}{digest}/{_LISTING}"))
        files = tuple(SourceFile(**file) for file in content["files"])
        found = KeptSource(
            content["format"], files, content.get("index", ""), tuple(content.get("excluded", ()))
        )
    except (KeyMissing, ValueError, LookupError, TypeError):
        return None
    return found if found.digest == digest else None


def stage_all(staged: Mapping[str, Snapshot], places: Mapping[str, str]) -> None:
    """Do ``stage`` for each source, by name.

    Raises:
        UserError: See ``stage``.
    """
    with tempfile.TemporaryDirectory(prefix="slimline-") as scratch:
        for name, source in staged.items():
            stage(source, places[name], Path(scratch))


def _write(objects: Objects, name: str, path: Path) -> None:
    with contextlib.suppress(OtherVersion):  # another launch was faster, with the same bytes
        objects.write(name, path, ABSENT, secrets.token_hex(16))
