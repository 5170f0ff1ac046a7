"""Artifacts: file trees with a content digest."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from components.digests import digest, file_sha256

SINGLE = "."
"""The path of the only entry when the artifact is one file and not a folder."""


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
            ValueError: A path is absolute or leaves the tree.
        """
        rows = cast("list[tuple[str, int, str]]", value["entries"])
        for path, _, _ in rows:
            if path != SINGLE and (
                path.startswith("/") or not path or {"..", ".", ""} & set(path.split("/"))
            ):
                raise ValueError(f"tree entry {path!r} leaves its tree")
        return cls(tuple(Entry(path, size, sha256) for path, size, sha256 in rows))


def files_of(root: Path) -> list[tuple[str, Path]]:
    """Return relative name and path of every file of an artifact, in name order.

    Empty folders do not count: object storage has none.

    Raises:
        ValueError: The tree holds a link or a special file, whose content is not its own.
    """
    if root.is_symlink():
        raise ValueError(f"{root} is a link: an artifact holds files")
    if root.is_file():
        return [(SINGLE, root)]
    found: list[tuple[str, Path]] = []
    for folder, folders, names in os.walk(root):
        for name in (*folders, *names):
            path = Path(folder, name)
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise ValueError(f"{path} is a link or a special file: an artifact holds files")
            if path.is_file():
                found.append((path.relative_to(root).as_posix(), path))
    return sorted(found)


def tree_of(root: Path) -> Tree:
    """Hash an artifact.

    Args:
        root: A folder, or the one file of a single-file artifact.

    Raises:
        FileNotFoundError: There is nothing at ``root``.
    """
    if not root.exists():
        raise FileNotFoundError(root)
    return Tree(
        tuple(Entry(name, path.stat().st_size, file_sha256(path)) for name, path in files_of(root))
    )
