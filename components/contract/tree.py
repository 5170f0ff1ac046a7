"""Artifacts: file trees with a content digest."""

from __future__ import annotations

import errno
import re
import stat
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from components.contract.digests import digest, file_sha256

SINGLE = "."
"""The path of the only entry when the artifact is one file and not a folder."""

DEPTH_MAX = 64
"""Levels from an artifact down to the deepest of its files: far more than any component writes, and
few enough for every tool that reads the artifact later."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_SHOWN_START, _SHOWN_END = 150, 50


@dataclass(frozen=True, order=True)
class Entry:
    """One file of a tree.

    Attributes:
        path: Relative POSIX path inside the tree, or ``SINGLE``.
        size_bytes: Length of the file.
        sha256: Digest of its bytes, 64 hexadecimal digits.
    """

    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Tree:
    """The files of an artifact in path order; equal trees have equal digests."""

    entries: tuple[Entry, ...]

    @property
    def digest(self) -> str:
        """The sha256 over paths, sizes and contents; names of folders and times do not count."""
        return digest("tree", [[e.path, e.size_bytes, e.sha256] for e in self.entries])

    @property
    def size_bytes(self) -> int:
        """Total length of all files."""
        return sum(entry.size_bytes for entry in self.entries)

    def to_json(self) -> dict[str, object]:
        """Return the form in which a store keeps the tree."""
        return {"entries": [[e.path, e.size_bytes, e.sha256] for e in self.entries]}

    @classmethod
    def from_json(cls, value: dict[str, object]) -> Tree:
        """Read what ``to_json`` wrote.

        Raises:
            ValueError: It is something else, or a path is absolute or leaves the tree.
        """
        return cls(tuple(_entry(row) for row in cast("list[object]", value["entries"])))


def _entry(row: object) -> Entry:
    """Read one entry of a tree.

    Raises:
        ValueError: It is something else, or its path is absolute or leaves the tree.
    """
    match row:
        case [str(path), int(size), str(sha256)] if (
            size >= 0 and not isinstance(size, bool) and _SHA256.fullmatch(sha256)
        ):
            parts = path.split("/")
            if path != SINGLE and ({"..", ".", ""} & set(parts) or len(parts) > DEPTH_MAX):
                raise ValueError(f"tree entry {path!r} leaves its tree")
            if "\0" in path or path != path.encode(errors="replace").decode():
                raise ValueError(f"tree entry {path!r} is no name of a file")
            return Entry(path, size, sha256)
        case _:
            raise ValueError(f"{row!r} is no entry of a tree")


def files_of(root: Path) -> list[tuple[str, Path]]:
    """Return relative name and path of every file of an artifact, in name order.

    Empty folders do not count: object storage has none.

    Raises:
        FileNotFoundError: There is nothing at ``root``.
        ValueError: The tree holds a link or a special file, whose content is not its own, or a
            name that is not UTF-8, or lies deeper than ``DEPTH_MAX`` or under longer names than
            can be read.
    """
    try:
        return sorted(_walk(root))
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        raise _refused(error.filename, "is too long a path for this system") from None


def _walk(root: Path) -> Generator[tuple[str, Path]]:
    waiting = [(root, 0)]
    while waiting:
        path, level = waiting.pop()
        mode = path.lstat().st_mode
        if level > DEPTH_MAX:
            raise _refused(path, f"lies deeper than the {DEPTH_MAX} levels of an artifact")
        if stat.S_ISDIR(mode):
            waiting += [(inner, level + 1) for inner in path.iterdir()]
        elif stat.S_ISREG(mode):
            name = path.relative_to(root).as_posix()
            if name != name.encode(errors="replace").decode():
                raise _refused(path, "has a name that is not UTF-8")
            yield name, path
        else:
            raise _refused(path, "is a link or a special file: an artifact holds files")


def _refused(path: object, why: str) -> ValueError:
    """Name a path that somebody made up: it may be long, and need not be text."""
    shown = str(path).encode(errors="replace").decode()
    if len(shown) > _SHOWN_START + _SHOWN_END:
        shown = f"{shown[:_SHOWN_START]}...{shown[-_SHOWN_END:]}"
    return ValueError(f"{shown} {why}")


def tree_of(root: Path) -> Tree:
    """Hash an artifact.

    Args:
        root: A folder, or the one file of a single-file artifact.

    Raises:
        FileNotFoundError: There is nothing at ``root``.
        ValueError: See ``files_of``.
    """
    return Tree(
        tuple(Entry(name, path.stat().st_size, file_sha256(path)) for name, path in files_of(root))
    )
