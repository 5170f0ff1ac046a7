"""The user's files in a bucket: listed with their generations, hashed as they are downloaded.

What was downloaded is kept by its digest among this machine's blobs, and the digest is remembered
by name, generation and size: a second look downloads nothing, and neither does a step.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from google.api_core import exceptions as api

from components.contract.errors import UserError
from components.contract.source import SourceFile
from pipelines.disk.files import disk_faults
from pipelines.disk.names import check_name, is_junk
from pipelines.disk.scratch import cache_folder, scratch_folder, scratch_root
from pipelines.sources.checksums import ChecksumCache, ObjectState
from pipelines.stores.blobs import BlobCache
from pipelines.stores.bucket_uri import parse_object
from pipelines.stores.call_each import call_each
from pipelines.stores.faults import cloud_faults
from pipelines.stores.layout import blob_key
from pipelines.stores.objects import THREADS, Objects

_FIELDS = "name,generation,size,crc32c,contentEncoding"
_SEGMENT_BYTES_MAX = 255
"""Longest name of a file that Linux takes."""

_REMEMBER_S = 2.0
"""A killed snapshot has to download again what it did in this time."""


class BucketFiles:
    """The ``Files`` under a prefix of a bucket, or one object.

    Args:
        uri: What the user wrote.
        objects: The bucket.
        states: Every object that is data, by its name below the prefix.
        single: Whether the user named one object.
    """

    def __init__(
        self, uri: str, objects: Objects, states: Mapping[str, ObjectState], *, single: bool
    ) -> None:
        self.single = single
        self._uri = uri
        self._objects = objects
        self._states = states
        self._blobs = BlobCache(cache_folder())

    @property
    def names(self) -> Sequence[str]:
        """See ``Files``."""
        return sorted(self._states)

    def hashed(self, cache: ChecksumCache | None) -> tuple[SourceFile, ...]:
        """See ``Files``. Objects that are not known yet are downloaded."""
        checksums = cache.known_objects(*parse_object(self._uri)) if cache else {}
        new = [state for state in self._states.values() if state not in checksums]
        checksums.update(self._downloaded(new, cache))
        return tuple(
            SourceFile(name, state.size_bytes, checksums[state])
            for name, state in sorted(self._states.items())
        )

    def link_into(self, files: Sequence[SourceFile], folder: Path) -> tuple[Path, ...]:
        """See ``Files``. Each file is a link to this machine's own blob where that can be."""
        folder.mkdir()
        call_each(self._link, ((file, folder / file.name) for file in files), THREADS)
        return ()

    def _link(self, file: SourceFile, path: Path) -> None:
        state = self._states[file.name]
        with disk_faults(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            download = partial(self._download, state, path)
            sha256 = self._blobs.fetch(blob_key(file.sha256), path, download, link=True)
        if sha256 != file.sha256:
            raise _changed(state)

    def _downloaded(
        self, states: Sequence[ObjectState], cache: ChecksumCache | None
    ) -> dict[ObjectState, str]:
        """Download objects that nobody knows the digest of, and return it by object."""
        if not states:
            return {}
        made: dict[ObjectState, str] = {}
        pending: dict[ObjectState, str] = {}
        remembered = time.monotonic()
        place = scratch_root()
        with (
            disk_faults(place),
            scratch_folder(place, f"snapshot-{secrets.token_hex(8)}") as scratch,
            ThreadPoolExecutor(THREADS) as pool,
        ):
            try:
                digests = pool.map(partial(self._keep, scratch), states)
                for state, sha256 in zip(states, digests, strict=True):
                    made[state] = pending[state] = sha256
                    if cache and time.monotonic() - remembered > _REMEMBER_S:
                        cache.remember_objects(pending)
                        pending, remembered = {}, time.monotonic()
            finally:
                if cache:
                    cache.remember_objects(pending)
        return made

    def _keep(self, scratch: Path, state: ObjectState) -> str:
        path = scratch / secrets.token_hex(8)
        with disk_faults(path):
            sha256 = self._download(state, path)
            self._blobs.keep(blob_key(sha256), path, adopt=True)
            path.unlink()
        return sha256

    def _download(self, state: ObjectState, path: Path) -> str:
        """Write the object of just this generation to a file and return its sha256."""
        with cloud_faults(self._uri):
            try:
                return self._objects.fetch(state.name, path, state.generation)
            except api.NotFound:
                raise _changed(state) from None


def bucket_files(uri: str, expected: str) -> BucketFiles:
    """List what is under a prefix, or look at the one object of that name.

    Args:
        uri: ``gs://bucket/name``; a name that ends in ``/`` is always a prefix.
        expected: What should be there, to be said when it is not.

    Raises:
        UserError: Malformed, a bucket that is missing, forbidden or not to be reached, nothing
            there, or names that cannot be files beside each other.
    """
    bucket, name = parse_object(uri)
    objects = Objects(uri, bucket)
    prefix = f"{name.rstrip('/')}/" if name else ""
    with cloud_faults(uri):
        objects.check_access(prefix)
        one = objects.look(name) if prefix != name else None
        states = _below(prefix, (_state(bucket, item) for item in objects.list(prefix, _FIELDS)))
    if one and states:
        raise UserError(
            f"{uri} is an object and also, with {len(states)} files, a folder",
            f"write {uri}/ for the folder, or give the object another name",
        )
    if one:
        states = {name.rpartition("/")[2]: _state(bucket, one)}
    if not states:
        raise UserError(
            f"there is nothing under {uri}; {expected}",
            f"correct the name: gcloud storage ls gs://{bucket}",
        )
    return BucketFiles(uri, objects, states, single=one is not None)


def _below(prefix: str, found: Iterable[ObjectState]) -> dict[str, ObjectState]:
    """Return the objects that are data, by their name below the prefix.

    Raises:
        UserError: Names that no folder could hold, or not beside each other.
    """
    states: dict[str, ObjectState] = {}
    for state in found:
        name = state.name.removeprefix(prefix)
        if _is_data(state, name):
            states[name] = state
    for name, state in states.items():
        for folder in PurePosixPath(name).parents:
            if str(folder) in states:
                raise UserError(
                    f"{states[str(folder)].uri} is an object and also the folder of {state.uri}",
                    "give one of the two another name: gcloud storage mv",
                )
    return states


def _is_data(state: ObjectState, name: str) -> bool:
    """Whether an object is a file of the data; folders that consoles make are objects, too."""
    if not name or name.endswith("/"):
        if state.size_bytes:
            raise UserError(
                f"{state.uri} is named like a folder and holds {state.size_bytes} bytes",
                "give the object a name that does not end in /, or remove it",
            )
        return False
    check_name(state.uri)
    for segment in name.split("/"):
        if segment in ("", ".", ".."):
            raise UserError(
                f"{state.uri} has the part {segment!r} in its name, which no file can have",
                "give the object another name: gcloud storage mv",
            )
        if is_junk(segment):
            return False
        if len(segment.encode()) > _SEGMENT_BYTES_MAX:
            raise UserError(
                f"{state.uri} has a part of more than {_SEGMENT_BYTES_MAX} bytes in its name",
                "give the object a shorter name: gcloud storage mv",
            )
    return True


def _state(bucket: str, found: Any) -> ObjectState:
    state = ObjectState(
        bucket, found.name, int(found.generation), int(found.size), found.crc32c or ""
    )
    if found.content_encoding == "gzip":
        raise UserError(
            f"{state.uri} is stored with Content-Encoding gzip: what arrives is not what is listed",
            f"gcloud storage objects update {state.uri} --clear-content-encoding, or upload it "
            "again without compression",
        )
    return state


def _changed(state: ObjectState) -> UserError:
    return UserError(
        f"{state.uri} changed or vanished since it was listed (generation {state.generation})",
        "run again when nothing writes to the data",
    )
