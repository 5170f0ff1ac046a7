"""Sources: what the user's data is, file by file, before anything runs.

The snapshot is what caching hangs on: the same names, sizes and contents are the same source,
wherever they lie and whenever they were written. Hidden files and what operating systems leave in
folders are no data and are skipped by rule; links that leave the folder are refused.
"""

from __future__ import annotations

import importlib.util
import os
import re
import stat
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from components.digests import canonical_json
from components.errors import UserError
from components.source import IDX_IMAGES, Format, SourceFile, source_digest
from pipelines.checksums import ChecksumCache, FileState, hash_unchanged

__all__ = ["ChecksumCache", "Source", "snapshot", "snapshot_model", "stage"]

_JUNK = frozenset({"thumbs.db", "desktop.ini", "__macosx"})
_FILE_FORMATS: Mapping[str, Format] = {".npz": "npz", ".csv": "csv", ".csv.gz": "csv"}
_MODEL_SUFFIXES = (".keras", ".h5", ".hdf5", ".safetensors")
_PACKAGE = "package:"
_DATA_EXPECTED = (
    "expected a folder with one sub-folder per identity or class, a folder of idx files, "
    "or a file .npz, .csv or .csv.gz"
)
_MODEL_EXPECTED = f"expected a file {', '.join(_MODEL_SUFFIXES)} or the folder of a SavedModel"
_HASH_THREADS = 4
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Source:
    """The user's files as they were when they were listed.

    Attributes:
        uri: What the user wrote; not part of the digest.
        format: How the files are to be read.
        files: All files, in name order.
        root: The folder on this machine that the names start from, or the one file itself.
    """

    uri: str
    format: Format
    files: tuple[SourceFile, ...]
    root: Path

    @cached_property
    def digest(self) -> str:
        """The sha256 over format, names, sizes and contents: neither places nor times count."""
        return source_digest(self.format, self.files)

    @property
    def size_bytes(self) -> int:
        """Total length of all files."""
        return sum(file.size_bytes for file in self.files)


def snapshot(data: str, cache: ChecksumCache | None = None) -> Source:
    """List and hash the user's data.

    Args:
        data: A folder, a file, or ``package:NAME/path`` for what an installed package holds.
        cache: Remembers checksums of files that have not changed since.

    Raises:
        UserError: Nothing there, nothing in it, not readable, or not laid out as data.
    """
    path = _located(data, _DATA_EXPECTED)
    if not path.is_dir():
        return _hashed(data, _file_format(data, path), path, cache)
    return _hashed(data, None, path, cache)


def snapshot_model(model: str, cache: ChecksumCache | None = None) -> Source:
    """List and hash a model, or weights, that the user made elsewhere.

    Args:
        model: A ``.keras``, ``.h5`` or ``.safetensors`` file, or the folder of a SavedModel.
        cache: Remembers checksums of files that have not changed since.

    Raises:
        UserError: Nothing there, not readable, or not one of these.
    """
    path = _located(model, _MODEL_EXPECTED)
    if path.is_dir() and not (path / "saved_model.pb").is_file():
        raise UserError(f"{model} has no saved_model.pb; {_MODEL_EXPECTED}", "correct the path")
    if not path.is_dir() and path.suffix.lower() not in _MODEL_SUFFIXES:
        raise UserError(f"{model} is no model; {_MODEL_EXPECTED}", "correct the path")
    return _hashed(model, "model", path, cache)


def stage(source: Source, folder: Path) -> None:
    """Write a source as components read it: ``source.json``, and ``files`` that leads to the data.

    Args:
        source: What to stage.
        folder: Made here. ``files`` in it is a link to the user's folder, or a folder with a link
            to the user's one file.
    """
    folder.mkdir(parents=True)
    files = folder / "files"
    if source.root.is_dir():
        files.symlink_to(source.root, target_is_directory=True)
    else:
        files.mkdir()
        (files / source.root.name).symlink_to(source.root)
    listing = {
        "uri": source.uri,
        "format": source.format,
        "files": [asdict(file) for file in source.files],
    }
    (folder / "source.json").write_bytes(canonical_json(listing))


# where it is ------------------------------------------------------------------------------------


def _located(uri: str, expected: str) -> Path:
    """Return the absolute path that the user means; other places than files dispatch here."""
    _check_name(uri)
    scheme = re.match(r"([a-z][a-z0-9+.-]*)://", uri)
    if scheme:
        raise UserError(
            f"{uri}: data at {scheme[0]} cannot be read; supported are paths of this machine and "
            f"{_PACKAGE}NAME/path",
            "copy the data to a folder and give its path",
        )
    path = _in_package(uri) if uri.startswith(_PACKAGE) else Path(uri).expanduser()
    try:
        resolved = path.resolve()
        mode = resolved.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"there is no {uri}; {expected}", _nearest(path)) from None
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError(
            f"{uri} cannot be read: {error}", "correct the path or its rights"
        ) from None
    if not uri or not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
        raise UserError(f"{uri!r} is neither file nor folder; {expected}", "correct the path")
    return resolved


def _in_package(uri: str) -> Path:
    """Find a file of an installed package without importing it."""
    name, _, inside = uri.removeprefix(_PACKAGE).partition("/")
    found = importlib.util.find_spec(name) if name.isidentifier() and name != "__main__" else None
    if found is None or not found.submodule_search_locations:
        raise UserError(f"{uri}: no package {name!r} is installed", f"pip install {name}")
    package = Path(next(iter(found.submodule_search_locations))).resolve()
    path = package / inside
    if not path.resolve().is_relative_to(package):
        raise UserError(f"{uri} leaves the package {name}", "give a path inside the package")
    return path


def _nearest(path: Path) -> str:
    """Return the fix for a path that does not exist: where on the way it stops existing."""
    parent = next((folder for folder in path.absolute().parents if folder.is_dir()), Path("/"))
    return f"correct the path: {parent} exists, and what follows does not"


def _file_format(uri: str, path: Path) -> Format:
    for suffix, form in _FILE_FORMATS.items():
        if path.name.lower().endswith(suffix):
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
        else "move the pictures of each identity or class into a sub-folder named after it",
    )


# what it holds ----------------------------------------------------------------------------------


def _hashed(uri: str, form: Format | None, path: Path, cache: ChecksumCache | None) -> Source:
    """List the files of a source and find the checksum of each."""
    seen_ns = time.time_ns()
    try:
        if path.is_dir():
            states = _walk(path)
        else:
            _check_name(path.name)
            states = {path.name: _state(path.name, path)}
        if not states:
            raise UserError(f"{uri} is an empty folder; {_DATA_EXPECTED}", "put the data there")
        form = form or _folder_format(uri, list(states))
        checksums = cache.known(str(path)) if cache else {}
        new = [state for state in states.values() if state not in checksums]
        with ThreadPoolExecutor(_HASH_THREADS) as pool:
            made = list(zip(new, pool.map(hash_unchanged, new), strict=True))
    except PermissionError as error:
        raise UserError(
            f"{error.filename} cannot be read: {error.strerror}", f"chmod -R u+rX {path}"
        ) from None
    except FileNotFoundError as error:
        raise UserError(
            f"{error.filename} vanished while {uri} was listed",
            "run again when nothing writes to the data",
        ) from None
    if cache:
        cache.remember(made, seen_ns)
    checksums.update(made)
    files = (
        SourceFile(name, state.size_bytes, checksums[state])
        for name, state in sorted(states.items())
    )
    return Source(uri, form, tuple(files), path)


def _walk(root: Path) -> dict[str, FileState]:
    """Return every file under a folder that is data, by relative POSIX name."""
    found: dict[str, FileState] = {}
    folders = [""]
    while folders:
        prefix = folders.pop()
        with os.scandir(root / prefix) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name.lower() in _JUNK:
                    continue
                name = prefix + entry.name
                _check_name(entry.name)
                if entry.is_symlink():
                    _check_link(name, root)
                elif entry.is_dir(follow_symlinks=False):
                    folders.append(f"{name}/")
                    continue
                found[name] = _state(name, entry)
    return found


def _state(name: str, file: Path | os.DirEntry[str]) -> FileState:
    status = file.stat()
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"{name} is no regular file but a device, pipe or socket", f"remove {name}")
    return FileState.of(os.fspath(file), status)


def _check_name(name: str) -> None:
    if _CONTROL.search(name):
        raise UserError(f"the name {name!r} holds a control character", "rename the file")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise UserError(
            f"the name {name.encode(errors='surrogateescape')!r} is not UTF-8", "rename the file"
        ) from None


def _check_link(name: str, root: Path) -> None:
    target = Path(os.path.realpath(root / name))
    if not target.exists():
        raise UserError(f"{name} is a link to {target}, which does not exist", f"remove {name}")
    if target.is_dir():
        raise UserError(
            f"{name} is a link to a folder, whose files would count twice",
            f"remove {name}, or put a copy of the folder in its place",
        )
    if not target.is_relative_to(root):
        raise UserError(
            f"{name} is a link that leaves the data folder, to {target}",
            f"put a copy in its place: cp --remove-destination {target} {root / name}",
        )
