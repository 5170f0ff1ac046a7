"""The user's files on this machine: listed, hashed where they lie, and read through links."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import stat
import time
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from components.contract.errors import UserError
from components.contract.source import SourceFile
from pipelines.disk.names import absolute, check_name, is_junk
from pipelines.sources.checksums import ChecksumCache, FileState, hash_unchanged

PACKAGE = "package:"
_HASH_THREADS = 4


@dataclass(frozen=True)
class LocalFiles:
    """The ``Files`` below a folder of this machine, or one file.

    Attributes:
        uri: What the user wrote.
        root: The folder that the names start from, or the one file itself.
        states: Every file by its name.
        seen_ns: Time just before the states were taken.
    """

    uri: str
    root: Path
    states: Mapping[str, FileState]
    seen_ns: int

    @property
    def single(self) -> bool:
        """See ``Files``."""
        return not self.root.is_dir()

    @property
    def names(self) -> Sequence[str]:
        """See ``Files``."""
        return sorted(self.states)

    def hashed(self, cache: ChecksumCache | None) -> tuple[SourceFile, ...]:
        """See ``Files``."""
        checksums = cache.known(str(self.root)) if cache else {}
        new = [state for state in self.states.values() if state not in checksums]
        with _faults(self.uri, self.root), ThreadPoolExecutor(_HASH_THREADS) as pool:
            made = list(zip(new, pool.map(hash_unchanged, new), strict=True))
        if cache:
            cache.remember(made, self.seen_ns)
        checksums.update(made)
        return tuple(
            SourceFile(name, state.size_bytes, checksums[state])
            for name, state in sorted(self.states.items())
        )

    def link_into(self, files: Sequence[SourceFile], folder: Path) -> tuple[Path, ...]:  # noqa: ARG002
        """See ``Files``. A link to the user's folder, or a folder with a link to the one file."""
        if self.single:
            folder.mkdir()
            (folder / self.root.name).symlink_to(self.root)
        else:
            folder.symlink_to(self.root, target_is_directory=True)
        return (self.root,)


def local_files(uri: str, expected: str) -> LocalFiles:
    """List what is at a path, or in an installed package.

    Args:
        uri: A path, or ``package:NAME/path``.
        expected: What should be there, to be said when it is not.

    Raises:
        UserError: Nothing there, not readable, or names and links that cannot be followed.
    """
    root = _located(uri, expected)
    seen_ns = time.time_ns()
    with _faults(uri, root):
        if root.is_dir():
            states = _walk(root)
        else:
            check_name(root.name)
            states = {root.name: _state(root.name, root)}
    if not states:
        raise UserError(f"{uri} is an empty folder; {expected}", "put the data there")
    return LocalFiles(uri, root, states, seen_ns)


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


# where it is ------------------------------------------------------------------------------------


def _located(uri: str, expected: str) -> Path:
    """Return the absolute path that the user means."""
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
    return resolved


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


# what it holds ----------------------------------------------------------------------------------


def _walk(root: Path) -> dict[str, FileState]:
    """Return every file under a folder that is data, by relative POSIX name."""
    found: dict[str, FileState] = {}
    folders = [""]
    while folders:
        prefix = folders.pop()
        with os.scandir(root / prefix) as entries:
            for entry in entries:
                if is_junk(entry.name):
                    continue
                name = prefix + entry.name
                check_name(entry.name)
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
