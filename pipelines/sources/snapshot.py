"""Snapshots of sources: what the user's data is, file by file, before anything runs.

The snapshot is what caching hangs on: the same names, sizes and contents are the same source,
wherever they lie and whenever they were written. Hidden files and what operating systems leave in
folders are no data and are skipped by rule; links that leave the folder are refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Protocol

from components.contract.digests import canonical_json
from components.contract.errors import UserError
from components.contract.source import IDX_IMAGES, Format, SourceFile, source_digest
from pipelines.disk.names import check_name
from pipelines.disk.scratch import cache_folder
from pipelines.sources.checksums import ChecksumCache
from pipelines.sources.local import PACKAGE, local_files

DATA, MODEL, WEIGHTS = "data", "model", "weights"
"""Names of the sources that a graph may have."""

_FILE_FORMATS: Mapping[str, Format] = {".npz": "npz", ".csv": "csv", ".csv.gz": "csv"}
_MODEL_SUFFIXES = (".keras", ".h5", ".hdf5", ".safetensors")
_DATA_EXPECTED = (
    "expected a folder with one sub-folder per identity or class, a folder of idx files, "
    "or a file .npz, .csv or .csv.gz"
)
_MODEL_EXPECTED = f"expected a file {', '.join(_MODEL_SUFFIXES)} or the folder of a SavedModel"


class Files(Protocol):
    """The user's files where the user keeps them, listed but not read yet; there is at least one.

    All methods raise ``UserError`` where a file changed since, or cannot be read.
    """

    @property
    def single(self) -> bool:
        """Whether the user named one file and not a folder."""
        ...

    @property
    def names(self) -> Sequence[str]:
        """Relative POSIX paths, in order."""
        ...

    def hashed(self, cache: ChecksumCache | None) -> tuple[SourceFile, ...]:
        """Return all files in name order, each with the checksum of its bytes."""
        ...

    def link_into(self, files: Sequence[SourceFile], folder: Path) -> tuple[Path, ...]:
        """Make ``folder``, which is not there yet, hold the files or lead to them.

        Returns:
            The paths outside of ``folder`` that links in it lead to.
        """
        ...


@dataclass(frozen=True)
class Snapshot:
    """The user's files as they were when they were listed.

    Attributes:
        uri: What the user wrote; not part of the digest.
        format: How the files are to be read.
        files: All files, in name order.
        place: Where they are to be had.
    """

    uri: str
    format: Format
    files: tuple[SourceFile, ...]
    place: Files = field(compare=False, repr=False)

    @cached_property
    def digest(self) -> str:
        """The sha256 over format, names, sizes and contents: neither places nor times count."""
        return source_digest(self.format, self.files)

    @property
    def size_bytes(self) -> int:
        """Total length of all files."""
        return sum(file.size_bytes for file in self.files)


def snapshot(data: str, cache: ChecksumCache | None = None) -> Snapshot:
    """List and hash the user's data.

    Args:
        data: A folder or a file, ``gs://bucket/name`` for the same in a bucket, or
            ``package:NAME/path`` for what an installed package holds.
        cache: Remembers checksums of what has not changed since.

    Raises:
        UserError: Nothing there, nothing in it, not readable, or not ordered as data is.
    """
    place = _files(data, _DATA_EXPECTED)
    form = _file_format(data, place.names[0]) if place.single else _folder_format(data, place.names)
    return Snapshot(data, form, place.hashed(cache), place)


def snapshot_model(model: str, cache: ChecksumCache | None = None) -> Snapshot:
    """List and hash a model, or weights, that the user made elsewhere.

    Args:
        model: A ``.keras``, ``.h5`` or ``.safetensors`` file, or the folder of a SavedModel, at
            any place that ``snapshot`` takes.
        cache: Remembers checksums of what has not changed since.

    Raises:
        UserError: Nothing there, not readable, or not one of these.
    """
    place = _files(model, _MODEL_EXPECTED)
    if not place.single and "saved_model.pb" not in place.names:
        raise UserError(f"{model} has no saved_model.pb; {_MODEL_EXPECTED}", "correct the path")
    if place.single and PurePosixPath(place.names[0]).suffix.lower() not in _MODEL_SUFFIXES:
        raise UserError(f"{model} is no model; {_MODEL_EXPECTED}", "correct the path")
    return Snapshot(model, "model", place.hashed(cache), place)


def stage(taken: Snapshot, folder: Path) -> tuple[Path, ...]:
    """Write a source as components read it: ``source.json``, and ``files`` that leads to the data.

    Args:
        taken: What to stage.
        folder: Made here.

    Returns:
        The paths outside of ``folder`` that links in it lead to.

    Raises:
        UserError: A file in a bucket changed since it was listed, or cannot be downloaded.
    """
    folder.mkdir(parents=True)
    elsewhere = taken.place.link_into(taken.files, folder / "files")
    listing = {
        "uri": taken.uri,
        "format": taken.format,
        "files": [asdict(file) for file in taken.files],
    }
    (folder / "source.json").write_bytes(canonical_json(listing))
    return elsewhere


def snapshots(places: Mapping[str, str]) -> dict[str, Snapshot]:
    """List and hash the user's files that a graph starts from.

    Args:
        places: Where each source is, by its name.

    Raises:
        UserError: They are missing, empty or cannot be read.
    """
    with ChecksumCache(cache_folder() / "checksums.sqlite") as cache:
        return {
            name: snapshot(uri, cache) if name == DATA else snapshot_model(uri, cache)
            for name, uri in places.items()
        }


def _files(uri: str, expected: str) -> Files:
    """List what the user means; each kind of place has a module of its own."""
    check_name(uri)
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", uri)
    if scheme is None:
        return local_files(uri, expected)
    if scheme[1] == "gs":
        from pipelines.sources.bucket import bucket_files

        return bucket_files(uri, expected)
    raise UserError(
        f"{uri}: data at {scheme[0]} cannot be read; supported are paths of this machine, "
        f"gs://bucket/name and {PACKAGE}NAME/path",
        "copy the data to a folder or a bucket and give its place",
    )


def _file_format(uri: str, name: str) -> Format:
    for suffix, form in _FILE_FORMATS.items():
        if name.lower().endswith(suffix):
            return form
    raise UserError(
        f"{uri} is a file of an unknown kind; {_DATA_EXPECTED}",
        "give the folder, or unpack the archive and give what was in it",
    )


def _folder_format(uri: str, names: Sequence[str]) -> Format:
    if any(re.fullmatch(IDX_IMAGES, name) for name in names):
        return "idx"
    if any("/" in name for name in names):
        return "folder"
    single = [name for name in names if name.lower().endswith(tuple(_FILE_FORMATS))]
    raise UserError(
        f"{uri} has {len(names)} files and no sub-folder; {_DATA_EXPECTED}",
        f"give the file: {uri.rstrip('/')}/{single[0]}"
        if single
        else "move the images of each identity or class into a sub-folder named after it",
    )
