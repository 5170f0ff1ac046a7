"""The user's files, wherever they are kept; and those of several places as one source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from components.contract.errors import UserError
from components.contract.source import SourceFile
from pipelines.sources.checksums import ChecksumCache


def folder_of(name: str) -> str:
    """Return the folder that a file of this name lies in itself; empty at the top."""
    return name.rpartition("/")[0]


class Files(Protocol):
    """The user's files where the user keeps them, listed but not read yet; there is at least one.

    All methods raise ``UserError`` where a file changed since, or cannot be read.
    """

    @property
    def single(self) -> bool:
        """Whether the user named one file and not a folder."""
        ...

    @property
    def base(self) -> str:
        """Where the names start from: an absolute path, or ``gs://bucket/prefix``."""
        ...

    @property
    def names(self) -> Sequence[str]:
        """Relative POSIX paths of what can be read, in order."""
        ...

    @property
    def empty_folders(self) -> Sequence[str]:
        """The topmost folders that hold no file, in order; no part of any ``fingerprint``."""
        ...

    @property
    def fingerprint(self) -> str:
        """Digest of names and states: another one when anything was written or removed."""
        ...

    def fingerprint_of(self, names: frozenset[str]) -> str:
        """Return what ``fingerprint`` was when there were files of these names alone."""
        ...

    def marked(self, marker: str) -> bool:
        """Whether a file of this name lies beside the files and is newer than all of them."""
        ...

    def by_folder(self) -> Mapping[str, str]:
        """Return a ``fingerprint`` for each folder that files lie in: see ``folder_of``."""
        ...

    def marked_folders(self, marker: str) -> frozenset[str]:
        """Return the folders in which a file of this name is newer than all beside it."""
        ...

    def within(self, folders: frozenset[str]) -> Files:
        """Return only what lies in these folders themselves; there may be nothing."""
        ...

    def hashed(self, cache: ChecksumCache | None) -> tuple[SourceFile, ...]:
        """Return all files in name order, each with the checksum of its bytes.

        Those that cannot be read are among them, with their fault in place of a checksum.
        """
        ...

    def with_listed(self, paths: Iterable[str]) -> tuple[Files, str]:
        """Return the one file and what is there of the paths in it, and what it is called then."""
        ...

    def link_into(self, files: Sequence[SourceFile], folder: Path) -> tuple[Path, ...]:
        """Make ``folder``, which is not there yet, hold the files or lead to them.

        Returns:
            The paths outside of ``folder`` that links in it lead to.
        """
        ...


@dataclass(frozen=True)
class TogetherFiles:
    """The ``Files`` of several places of one file each.

    Attributes:
        uris: What the user wrote.
        parts: The file at each.

    Raises:
        UserError: Two files have one name.
    """

    uris: tuple[str, ...]
    parts: tuple[Files, ...]

    def __post_init__(self) -> None:
        places: dict[str, str] = {}
        for uri, part in zip(self.uris, self.parts, strict=True):
            name = part.names[0]
            if name in places:
                raise UserError(
                    f"{places[name]} and {uri} are both called {name}",
                    f"rename one of them, or list {name} once",
                )
            places[name] = uri

    @property
    def single(self) -> bool:
        """See ``Files``."""
        return False

    @property
    def base(self) -> str:
        """See ``Files``."""
        return ", ".join(part.base for part in self.parts)

    @property
    def names(self) -> Sequence[str]:
        """See ``Files``; in the order of the places."""
        return [part.names[0] for part in self.parts]

    @property
    def empty_folders(self) -> Sequence[str]:
        """See ``Files``; files of several places lie in no folder of theirs."""
        return ()

    @property
    def fingerprint(self) -> str:
        """See ``Files``."""
        return sha256("".join(part.fingerprint for part in self.parts).encode()).hexdigest()

    def fingerprint_of(self, names: frozenset[str]) -> str:
        """See ``Files``."""
        return sha256("".join(one.fingerprint_of(names) for one in self.parts).encode()).hexdigest()

    def marked(self, marker: str) -> bool:
        """See ``Files``; beside the file of every place."""
        return all(part.marked(marker) for part in self.parts)

    def by_folder(self) -> Mapping[str, str]:
        """See ``Files``; files of several places lie in no folder of theirs."""
        return {"": self.fingerprint}

    def marked_folders(self, marker: str) -> frozenset[str]:
        """See ``Files``."""
        return frozenset([""] if self.marked(marker) else [])

    def within(self, folders: frozenset[str]) -> Files:
        """See ``Files``; several places have no parts."""
        raise AssertionError(f"several places have no folders: {sorted(folders)}")

    def hashed(self, cache: ChecksumCache | None) -> tuple[SourceFile, ...]:
        """See ``Files``; in the order of the places, which is that of their import."""
        return tuple(file for part in self.parts for file in part.hashed(cache))

    def with_listed(self, paths: Iterable[str]) -> tuple[Files, str]:
        """See ``Files``; a list of images is one file at one place."""
        raise AssertionError(f"several places list no images: {list(paths)}")

    def link_into(self, files: Sequence[SourceFile], folder: Path) -> tuple[Path, ...]:
        """See ``Files``."""
        folder.mkdir()
        elsewhere: list[Path] = []
        for part in self.parts:
            name = part.names[0]
            own = folder / f".{name}"
            elsewhere += part.link_into([file for file in files if file.name == name], own)
            (own / name).rename(folder / name)
            own.rmdir()
        return tuple(elsewhere)
