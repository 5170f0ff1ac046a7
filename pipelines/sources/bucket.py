"""The user's files in a bucket: listed with their versions, hashed as they are downloaded.

What was downloaded is kept by its digest among this machine's blobs, and the digest is remembered
by name, version and size: a second look downloads nothing, and neither does a step.
"""

from __future__ import annotations

import hashlib
import posixpath
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath

from components.contract.errors import UserError
from components.contract.source import SourceFile
from components.data.image_list import names_meant, unlisted
from pipelines.disk.cache_folder import cache_folder
from pipelines.disk.files import disk_faults
from pipelines.disk.names import fault_of_name, is_junk, printable
from pipelines.disk.scratch import scratch_folder, scratch_root
from pipelines.sources.checksums import ChecksumCache, ObjectState
from pipelines.sources.together import folder_of
from pipelines.sources.walking import empty_of, unreadable
from pipelines.stores.blobs import BlobCache
from pipelines.stores.bucket_uri import listing_command, parse_object, scheme_of
from pipelines.stores.call_each import call_each
from pipelines.stores.layout import blob_key
from pipelines.stores.objects import THREADS, ObjectMissing, Objects, StoredObject
from pipelines.stores.services import open_objects

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
        others: What is there and cannot be a file.
        empty: Folders that consoles made, and nothing lies in.
        single: Whether the user named one object.
    """

    def __init__(
        self,
        uri: str,
        objects: Objects,
        states: Mapping[str, ObjectState],
        others: Sequence[SourceFile] = (),
        empty: Sequence[str] = (),
        *,
        single: bool,
    ) -> None:
        self.single = single
        self.empty_folders = empty
        self.base = uri.rstrip("/")
        self._others = others
        self._uri = uri
        self._objects = objects
        self._states = states
        self._blobs = BlobCache(cache_folder())

    @property
    def names(self) -> Sequence[str]:
        """See ``Files``."""
        return sorted(self._states)

    @property
    def fingerprint(self) -> str:
        """See ``Files``."""
        return _told(self._states, self._others)

    def fingerprint_of(self, names: frozenset[str]) -> str:
        """See ``Files``."""
        states = {name: state for name, state in self._states.items() if name in names}
        return _told(states, [one for one in self._others if one.name in names])

    def marked(self, marker: str) -> bool:
        """See ``Files``. The clock of the service tells, which wrote all of them."""
        _, inside = _split(self._uri)
        folder = posixpath.dirname(inside) if self.single else inside.rstrip("/")
        prefix = f"{folder}/" if folder else ""
        found = {one.name: one for one in self._objects.list(prefix, details=True)}
        mark = found.pop(f"{prefix}{marker}", None)
        data = {state.name for state in self._states.values()}
        return mark is not None and all(
            one.written <= mark.written for name, one in found.items() if name in data
        )

    def by_folder(self) -> Mapping[str, str]:
        """See ``Files``."""
        states: dict[str, dict[str, ObjectState]] = {}
        for name, state in self._states.items():
            states.setdefault(folder_of(name), {})[name] = state
        others: dict[str, list[SourceFile]] = {}
        for one in self._others:
            others.setdefault(folder_of(one.name), []).append(one)
        return {
            folder: _told(states.get(folder, {}), others.get(folder, []))
            for folder in sorted(states.keys() | others.keys())
        }

    def marked_folders(self, marker: str) -> frozenset[str]:
        """See ``Files``. The clock of the service tells, which wrote all of them."""
        _, inside = _split(self._uri)
        prefix = f"{inside.rstrip('/')}/" if inside else ""
        marks: dict[str, float] = {}
        newest: dict[str, float] = {}
        for one in self._objects.list(prefix, details=True):
            name = one.name.removeprefix(prefix)
            folder = folder_of(name)
            if name.rpartition("/")[2] == marker:
                marks[folder] = one.written
            elif name in self._states:
                newest[folder] = max(newest.get(folder, one.written), one.written)
        return frozenset(
            folder
            for folder, written in newest.items()
            if folder in marks and written <= marks[folder]
        )

    def within(self, folders: frozenset[str]) -> BucketFiles:
        """See ``Files``."""
        states = {name: one for name, one in self._states.items() if folder_of(name) in folders}
        others = [one for one in self._others if folder_of(one.name) in folders]
        return BucketFiles(self._uri, self._objects, states, others, single=self.single)

    def hashed(self, cache: ChecksumCache | None) -> tuple[SourceFile, ...]:
        """See ``Files``. Objects that are not known yet are downloaded."""
        bucket, prefix = _split(self._uri)
        checksums = cache.known_objects(bucket, prefix) if cache else {}
        new = [state for state in self._states.values() if state not in checksums]
        checksums.update(self._downloaded(new, cache))
        readable = (
            SourceFile(name, state.size_bytes, checksums[state])
            for name, state in self._states.items()
        )
        return tuple(sorted([*readable, *self._others]))

    def with_listed(self, paths: Iterable[str]) -> tuple[BucketFiles, str]:
        """See ``Files``. Names start from the folder that the list and all it names lie in."""
        bucket, index = _split(self._uri)
        meant = [names_meant(path, index, bucket) for path in paths]
        folders = {posixpath.dirname(name) for names in meant for name in names}
        # A leading slash, so that the whole bucket is a folder that they have in common.
        common = posixpath.commonpath([f"/{name}" for name in {*folders, posixpath.dirname(index)}])
        prefix = f"{common[1:]}/" if common != "/" else ""
        wanted = {index, *(name for names in meant for name in names)}
        found = {
            item.name.removeprefix(prefix): _state(bucket, item)
            for item in self._objects.list(prefix, details=True)
        }
        root = f"{bucket}/{prefix}".rstrip("/")
        states = {name: state for name, state in found.items() if prefix + name in wanted}
        index = index.removeprefix(prefix)
        beside = (
            name for name in found if not is_junk(posixpath.basename(name)) and not _fault(name)
        )
        others = unlisted(beside, states, index)
        return BucketFiles(root, self._objects, states, others, single=False), index

    def link_into(self, files: Sequence[SourceFile], folder: Path) -> tuple[Path, ...]:
        """See ``Files``. Each file is a link to this machine's own blob where that can be."""
        folder.mkdir()
        readable = ((file, folder / file.name) for file in files if file.readable)
        call_each(self._link, readable, THREADS)
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
        remembered, told = time.monotonic(), 0
        place = scratch_root()
        with (
            disk_faults(place),
            scratch_folder(place, f"snapshot-{secrets.token_hex(8)}") as scratch,
            ThreadPoolExecutor(THREADS) as pool,
        ):
            calls = {pool.submit(self._keep, scratch, state): state for state in states}
            try:
                for call in as_completed(calls):
                    made[calls[call]] = call.result()
                    if cache and time.monotonic() - remembered > _REMEMBER_S:
                        cache.remember_objects(dict(islice(made.items(), told, None)))
                        remembered, told = time.monotonic(), len(made)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                ended = (call for call in calls if not call.cancelled() and not call.exception())
                made.update({calls[call]: call.result() for call in ended})
                raise
            finally:
                if cache:
                    cache.remember_objects(dict(islice(made.items(), told, None)))
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
        try:
            return self._objects.fetch(state.name, path, state.version)
        except ObjectMissing:
            raise _changed(state) from None


def bucket_files(uri: str, expected: str) -> BucketFiles:
    """List what is under a prefix, or look at the one object of that name.

    Args:
        uri: ``gs://bucket/name``, or another service's; a name that ends in ``/`` is always a
            prefix.
        expected: What should be there, to be said when it is not.

    Raises:
        UserError: Malformed, a bucket that is missing, forbidden or not to be reached, nothing
            there, or names that cannot be files beside each other.
    """
    bucket, name = _split(uri)
    objects = open_objects(uri, parse_object(uri)[0])
    prefix = f"{name.rstrip('/')}/" if name else ""
    objects.check_access(prefix)
    one = objects.look(name) if prefix != name else None
    states, others, empty = _below(
        prefix, (_state(bucket, item) for item in objects.list(prefix, details=True))
    )
    if one and states:
        raise UserError(
            f"{uri} is an object and also, with {len(states)} files, a folder",
            f"write {uri}/ for the folder, or give the object another name",
        )
    if one:
        states, others, empty = {name.rpartition("/")[2]: _state(bucket, one)}, [], ()
    if others and not states:
        raise unreadable(uri, others)
    if not states:
        raise UserError(
            f"there is nothing under {uri}; {expected}",
            f"correct the name: {listing_command(uri, parse_object(uri)[0])}",
        )
    return BucketFiles(uri, objects, states, others, empty, single=one is not None)


def _below(
    prefix: str, found: Iterable[ObjectState]
) -> tuple[dict[str, ObjectState], list[SourceFile], tuple[str, ...]]:
    """Return the objects that are data, by their name below the prefix, and what cannot be files.

    Folders that consoles make are empty objects, and are no data; those that hold none come last.
    """
    states: dict[str, ObjectState] = {}
    made: list[str] = []
    faults: dict[str, str] = {}
    for state in found:
        name = state.name.removeprefix(prefix)
        if any(is_junk(part) for part in name.split("/") if part not in (".", "..")):
            continue
        if not name or name.endswith("/"):
            if state.size_bytes:
                held = f"is like that of a folder, and the object holds {state.size_bytes} bytes"
                faults[name or "/"] = f"name: {held}"
            elif name and not _fault(name[:-1]):
                made.append(name[:-1])
        elif fault := _fault(name):
            faults[name] = f"name: {fault}"
        else:
            states[name] = state
    for name in list(states):
        for folder in map(str, PurePosixPath(name).parents):
            if folder in states:
                del states[folder]
                faults[folder] = f"name: is also the folder of {name}"
    shown = {printable(name): fault for name, fault in faults.items()}
    others = [SourceFile(name, 0, "", fault=fault) for name, fault in shown.items()]
    held = map(folder_of, [*states, *faults] if made else ())
    return states, others, empty_of(made, held)


def _told(states: Mapping[str, ObjectState], others: Sequence[SourceFile]) -> str:
    """Return the digest of the states of objects, and of what cannot be a file."""
    told = hashlib.sha256()
    for name, state in sorted(states.items()):
        told.update(repr((name, *state)).encode())
    told.update(repr(sorted(others)).encode())
    return told.hexdigest()


def _fault(name: str) -> str:
    """Return why an object cannot be a file of a folder; empty when it can."""
    if fault := fault_of_name(name):
        return fault
    for segment in name.split("/"):
        if segment in ("", ".", ".."):
            return f"has the part {segment!r}, which no file can have"
        if len(segment.encode()) > _SEGMENT_BYTES_MAX:
            return f"has a part of more than {_SEGMENT_BYTES_MAX} bytes"
    return ""


def _split(uri: str) -> tuple[str, str]:
    """Return the address of a bucket, and the name of an object in it."""
    bucket, name = parse_object(uri)
    return f"{scheme_of(uri)}://{bucket}", name


def _state(bucket: str, found: StoredObject) -> ObjectState:
    # A version at S3 may end in what slimline wrote with the object, which a list does not tell.
    version = found.version.partition(" ")[0]
    state = ObjectState(bucket, found.name, version, found.size_bytes, found.checksum)
    if found.encoding == "gzip":
        raise UserError(
            f"{state.uri} is stored with Content-Encoding gzip: what arrives is not what is listed",
            f"gcloud storage objects update {state.uri} --clear-content-encoding, or upload it "
            "again without compression",
        )
    return state


def _changed(state: ObjectState) -> UserError:
    return UserError(
        f"{state.uri} changed or vanished since it was listed (version {state.version})",
        "run again when nothing writes to the data",
    )
