"""The user's files on this machine: listed, hashed where they lie, and read through links."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import posixpath
import stat
import time
from array import array
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from operator import attrgetter
from pathlib import Path

from components.contract.errors import UserError
from components.contract.source import SourceFile
from components.data.image_list import names_meant, unlisted
from pipelines.disk.names import absolute, check_name, fault_of_name, is_junk
from pipelines.sources.checksums import ChecksumCache, FileState, hash_unchanged
from pipelines.sources.together import folder_of
from pipelines.sources.walking import Contents, contents_of, state_of, unreadable

PACKAGE = "package:"
_HASH_THREADS = 4
_TOLD_MAX = 5  # folders in a sentence


@dataclass(frozen=True)
class LocalFiles:
    """The ``Files`` below a folder of this machine, or one file.

    Attributes:
        uri: What the user wrote.
        root: The folder that the names start from, or the one file itself, as the user means it.
        contents: What is there, by its name.
        seen_ns: Time just before the states were taken.
    """

    uri: str
    root: Path
    contents: Contents
    seen_ns: int

    @property
    def single(self) -> bool:
        """See ``Files``."""
        return not self.root.is_dir()

    @property
    def base(self) -> str:
        """See ``Files``."""
        return str(self.root)

    @property
    def names(self) -> Sequence[str]:
        """See ``Files``."""
        return self._names

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(sorted(self.contents.states))

    @property
    def empty_folders(self) -> Sequence[str]:
        """See ``Files``."""
        return self.contents.empty

    @property
    def fingerprint(self) -> str:
        """See ``Files``."""
        return _told(self._names, self.contents.states, self.contents.others)

    def fingerprint_of(self, names: frozenset[str]) -> str:
        """See ``Files``."""
        listed = [name for name in self._names if name in names]
        others = {name: one for name, one in self.contents.others.items() if name in names}
        return _told(listed, self.contents.states, others)

    def marked(self, marker: str) -> bool:
        """See ``Files``."""
        folder = self.root.parent if self.single else self.root
        try:
            marked_ns = (folder / marker).stat().st_mtime_ns
        except FileNotFoundError:
            return False
        return all(state.mtime_ns <= marked_ns for state in self.contents.states.values())

    def by_folder(self) -> Mapping[str, str]:
        """See ``Files``."""
        names: dict[str, list[str]] = {}
        for name in self._names:
            names.setdefault(folder_of(name), []).append(name)
        others: dict[str, dict[str, SourceFile]] = {}
        for name, other in self.contents.others.items():
            others.setdefault(folder_of(name), {})[name] = other
        return {
            folder: _told(names.get(folder, []), self.contents.states, others.get(folder, {}))
            for folder in sorted(names.keys() | others.keys())
        }

    def marked_folders(self, marker: str) -> frozenset[str]:
        """See ``Files``."""
        newest: dict[str, int] = {}
        for name, state in self.contents.states.items():
            folder = folder_of(name)
            newest[folder] = max(newest.get(folder, state.mtime_ns), state.mtime_ns)
        marked: set[str] = set()
        for folder, newest_ns in newest.items():
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                marked_ns = (self.root / folder / marker).stat().st_mtime_ns
                marked |= {folder} if newest_ns <= marked_ns else set()
        return frozenset(marked)

    def within(self, folders: frozenset[str]) -> LocalFiles:
        """See ``Files``."""
        had = self.contents
        contents = Contents(
            {name: one for name, one in had.states.items() if folder_of(name) in folders},
            {name: one for name, one in had.links.items() if folder_of(name) in folders},
            {name: one for name, one in had.others.items() if folder_of(name) in folders},
        )
        return LocalFiles(self.uri, self.root, contents, self.seen_ns)

    def hashed(self, cache: ChecksumCache | None) -> tuple[SourceFile, ...]:
        """See ``Files``."""
        states = self.contents.states
        checksums = self._known(cache) if cache else {}
        new = list(dict.fromkeys(state for state in states.values() if state not in checksums))
        with _faults(self.uri, self.root), ThreadPoolExecutor(_HASH_THREADS) as pool:
            made = list(zip(new, pool.map(hash_unchanged, new), strict=True))
        if cache:
            cache.remember(made, self.seen_ns)
        checksums.update(made)
        links = self.contents.links
        readable = (
            SourceFile(name, state.size_bytes, checksums[state], links.get(name, ""))
            for name, state in states.items()
        )
        return tuple(sorted([*readable, *self.contents.others.values()]))

    def _known(self, cache: ChecksumCache) -> dict[FileState, str]:
        known = cache.known(str(self.root.resolve()))
        for place in self._elsewhere():
            known |= cache.known(str(place))
        return known

    def link_into(self, files: Sequence[SourceFile], folder: Path) -> tuple[Path, ...]:
        """See ``Files``. A link to the user's folder where nothing in it leads elsewhere."""
        root = self.root.resolve()
        if self.single:
            folder.mkdir()
            (folder / self.root.name).symlink_to(root)
            return (root,)
        elsewhere = self._elsewhere()
        if not elsewhere:
            folder.symlink_to(root, target_is_directory=True)
            return (root,)
        folder.mkdir()
        for file in files:
            if file.readable:
                (folder / file.name).parent.mkdir(parents=True, exist_ok=True)
                (folder / file.name).symlink_to(self.contents.states[file.name].path)
        return (root, *elsewhere)

    def _elsewhere(self) -> list[Path]:
        """Return the folders outside that links lead into, none of them in another."""
        inside = f"{self.root.resolve()}/"
        paths = (state.path for state in self.contents.states.values())
        parents = sorted({Path(path).parent for path in paths if not path.startswith(inside)})
        if self.single:
            return []
        return [p for p in parents if not any(q in p.parents for q in parents)]

    def with_listed(self, paths: Iterable[str]) -> tuple[LocalFiles, str]:
        """See ``Files``."""
        folder, index = self.root.parent, self.root.name
        contents = Contents({index: self.contents.states[index]})
        with _faults(self.uri, folder):
            for path in paths:
                meant = names_meant(path, index, str(folder))
                name = next((name for name in meant if os.path.lexists(folder / name)), None)
                if name is None or name in contents.states or (folder / name).is_dir():
                    continue
                state = fault = state_of(os.fspath(folder / name))
                if isinstance(state, FileState):
                    contents.states[name] = state
                else:
                    contents.others[name] = SourceFile(name, 0, "", fault=str(fault))
            listed = [*contents.states, *contents.others]
            beside = [name for place in _folders_of(listed) for name in _files_in(folder, place)]
            contents.others.update((file.name, file) for file in unlisted(beside, listed, index))
        return LocalFiles(self.uri, folder, contents, self.seen_ns), index


def local_files(uri: str, expected: str) -> LocalFiles:
    """List what is at a path, or in an installed package.

    Args:
        uri: A path, or ``package:NAME/path``.
        expected: What should be there, to be said when it is not.

    Raises:
        UserError: Nothing there, not readable, or nothing that can be read.
    """
    path = _located(uri, expected)
    seen_ns = time.time_ns()
    with _faults(uri, path):
        if path.is_dir():
            path = path.resolve()
            contents = contents_of(path)
        else:
            check_name(path.name)
            contents = Contents({path.name: FileState.of(str(path.resolve()), path.stat())})
    if contents.others and not contents.states:
        raise unreadable(uri, contents.others.values())
    if not contents.states:
        below = f" (no file in {', '.join(contents.empty[:_TOLD_MAX])})" if contents.empty else ""
        raise UserError(f"{uri} is an empty folder{below}; {expected}", "put the data there")
    return LocalFiles(uri, path, contents, seen_ns)


def _folders_of(names: Iterable[str]) -> set[str]:
    return {posixpath.dirname(name) for name in names}


def _files_in(root: Path, folder: str) -> Iterator[str]:
    """Yield the names of what lies in a folder and could be data."""
    with contextlib.suppress(NotADirectoryError), os.scandir(root / folder) as entries:
        for entry in entries:
            name = posixpath.join(folder, entry.name)
            if not is_junk(entry.name) and not fault_of_name(name) and entry.is_file():
                yield name


@contextlib.contextmanager
def _faults(uri: str, root: Path) -> Generator[None]:
    try:
        yield
    except PermissionError as error:
        raise UserError(
            f"{error.filename} cannot be read: {error.strerror}", f"chmod -R u+rX {root}"
        ) from None
    except FileNotFoundError as error:
        raise UserError(
            f"{error.filename} vanished while {uri} was listed",
            "run again when nothing writes to the data",
        ) from None


def _told(
    names: Sequence[str], states: Mapping[str, FileState], others: Mapping[str, SourceFile]
) -> str:
    """Return the digest of the states of files, in this order, and of what has no bytes."""
    told = sha256(f"{len(names)} ".encode())
    listed = [states[name] for name in names]
    # Columns of all of them: a text for each of a million files would take three times as long.
    for texts in (names, [one.path for one in listed]):
        told.update("\0".join(texts).encode("utf-8", "surrogateescape") + b"\0")
    for field in ("size_bytes", "mtime_ns", "ctime_ns", "inode"):
        numbers = list(map(attrgetter(field), listed))
        kind = "q" if min(numbers, default=0) < 0 else "Q"
        told.update(kind.encode() + array(kind, numbers).tobytes())
    told.update(repr(sorted(others.items())).encode("utf-8", "surrogateescape"))
    return told.hexdigest()


# where it is ------------------------------------------------------------------------------------


def _located(uri: str, expected: str) -> Path:
    """Return the absolute path that the user means; it may be a link."""
    path = _in_package(uri) if uri.startswith(PACKAGE) else absolute(uri)
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
    return path


def _in_package(uri: str) -> Path:
    """Find a file of an installed package without importing it."""
    name, _, inside = uri.removeprefix(PACKAGE).partition("/")
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
    parent = next((folder for folder in path.parents if folder.is_dir()), Path("/"))
    return f"correct the path: {parent} exists, and what follows does not"
