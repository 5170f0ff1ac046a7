"""Sources: the user's files as the host listed them, each checked as it is read."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from io import FileIO
from pathlib import Path
from typing import Any, Final, Literal, cast

from components.contract.digests import digest, file_sha256
from components.contract.errors import UserError

Format = Literal[
    "folder",
    "npz",
    "idx",
    "csv",
    "list",
    "model",
    "modules",
    "answers",
    "pairs",
    "results",
    "runner",
]

IDX_IMAGES: Final = r"(?P<stem>[^/]*)images[-.]idx[34]-ubyte(\.gz)?"
"""Names of idx files that hold images, such as ``train-images-idx3-ubyte.gz``."""
IDX_LABELS: Final = r"(?P<stem>[^/]*)labels[-.]idx1-ubyte(\.gz)?"
"""Names of idx files that hold labels: those of the images with the same stem."""
IDX_GROUPS: Final = r"(?P<stem>[^/]*)groups[-.]idx1-ubyte(\.gz)?"
"""Names of idx files that hold the groups of the images with the same stem, as numbers."""

EMPTY_FOLDER: Final = "empty-folder"
"""What the fault of a folder begins with that holds no file, neither itself nor below."""


@dataclass(frozen=True, order=True, slots=True)
class SourceFile:
    """One file of a source, or a folder without any.

    Attributes:
        name: Relative POSIX path; that of a folder ends in ``/``.
        size_bytes: Length when the source was listed.
        sha256: Digest of its bytes then, 64 hexadecimal digits; empty where it has a fault.
        link: Name in the source of the file or folder that it is a link to. Content counts once,
            under its own name, and not once more under this one.
        fault: Why it cannot be read; a word, a colon and details. Empty when it can.
    """

    name: str
    size_bytes: int
    sha256: str
    link: str = ""
    fault: str = ""

    @property
    def readable(self) -> bool:
        """Whether it has bytes of its own: no fault, and no link to a folder."""
        return bool(self.sha256)

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder that holds no file."""
        return self.fault.startswith(EMPTY_FOLDER)


def source_digest(
    form: Format,
    files: tuple[SourceFile, ...],
    index: str = "",
    excluded: tuple[str, ...] = (),
) -> str:
    """Return the digest of a source: names, sizes and contents, not places and times.

    Args:
        form: How the files are to be read.
        files: All files.
        index: Name of the list of images among them, if there is one.
        excluded: See ``Source``.
    """
    # One string a file, the name last, is as unambiguous as a list and digested faster.
    content: list[object] = [form, [f"{f.sha256} {f.size_bytes} {f.name}" for f in files]]
    odd = [[file.name, file.link, file.fault] for file in files if file.link or file.fault]
    if excluded:
        return digest("source", [*content, odd, index, list(excluded)])
    return digest("source", [*content, odd, index] if odd or index else content)


@dataclass(frozen=True)
class Source:
    """A staged source: ``source.json`` beside ``files``, a folder or a link to one.

    Attributes:
        path: The staged folder.
        format: How the files are to be read.
        files: All files, in name order.
        index: Name of the list of images, for the format ``list``.
        root: Where the names start from on the user's side: a path or ``gs://bucket/prefix``.
        excluded: What must not be used: sha256 sums of files, of pixels and of identities, as
            hexadecimal digits, sorted. Of none the digest is as it always was.
    """

    path: Path
    format: Format
    files: tuple[SourceFile, ...]
    index: str = ""
    root: str = ""
    excluded: tuple[str, ...] = ()

    @classmethod
    def open(cls, path: Path) -> Source:
        """Read ``source.json``.

        Raises:
            UserError: There is none, or a name in it would leave the folder.
        """
        listed = path / "source.json"
        if not listed.is_file():
            raise UserError(
                f"{path} is no source: it has no source.json", "let slimline stage the data"
            )
        # Each file becomes one as soon as it is parsed: as mappings, many take much memory.
        value = cast("Mapping[str, Any]", json.loads(listed.read_bytes(), object_hook=_parsed))
        files = tuple(cast("list[SourceFile]", value["files"]))
        for file in files:
            if file.readable and _leaves(file.name):
                raise UserError(
                    f"{listed} names {file.name!r}, which is not inside the source",
                    "let slimline stage the data again",
                )
        return cls(
            path,
            value["format"],
            files,
            value.get("index", ""),
            value.get("root", ""),
            tuple(value.get("excluded", ())),
        )

    @property
    def digest(self) -> str:
        """See ``source_digest``."""
        return source_digest(self.format, self.files, self.index, self.excluded)

    @property
    def names(self) -> Iterator[str]:
        """Names of all files, those of folders without any left out."""
        return (file.name for file in self.files if not file.is_folder)

    def path_of(self, file: SourceFile) -> Path:
        """Return where a file lies, following links only inside the source.

        Raises:
            UserError: The file is gone, or is a link to a place outside.
        """
        with self._opened(file) as stream:
            return Path(self._place(stream, file))

    def read(self, file: SourceFile) -> bytes:
        """Return the bytes of a file, checked against the list.

        Raises:
            UserError: The file changed or vanished since it was listed.
        """
        with self._opened(file) as stream:
            self._place(stream, file)
            # As long as was listed and one byte: to find the end would take three calls more.
            data = stream.read(file.size_bytes + 1) or b""
            if len(data) < file.size_bytes:
                data += stream.readall()
        self._compare(file, hashlib.sha256(data).hexdigest())
        return data

    @cached_property
    def _folder(self) -> str:
        return str(self.path / "files")

    @cached_property
    def _users_folder(self) -> str | None:
        """Where the user's own folder is; None where the host made one, of links to each file."""
        folder = Path(self._folder)
        return str(folder.resolve()) if folder.is_symlink() else None

    def _opened(self, file: SourceFile) -> FileIO:
        path = f"{self._folder}/{file.name}"  # plain text: a Path takes longer than the file
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            if stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116
                return FileIO(path)
        raise UserError(
            f"{file.name} is gone since the data was listed", "put it back, or run again"
        )

    def _place(self, stream: FileIO, file: SourceFile) -> str:
        """Return the real path of an open file: one call, where resolving takes one a folder."""
        place = os.readlink(f"/proc/self/fd/{stream.fileno()}")  # noqa: PTH115
        inside = self._users_folder
        if inside is not None and not f"{place}/".startswith(f"{inside.rstrip('/')}/"):
            raise UserError(
                f"{file.name} became a link that leaves the data folder since it was listed",
                "run again when nothing writes to the data",
            )
        return place

    def verified(self, file: SourceFile) -> Path:
        """Return the path of a file too large for memory, its bytes checked against the list.

        Raises:
            UserError: The file changed or vanished since it was listed.
        """
        path = self.path_of(file)
        self._compare(file, file_sha256(path))
        return path

    def _compare(self, file: SourceFile, sha256: str) -> None:
        if sha256 != file.sha256:
            raise UserError(
                f"{file.name} changed while it was read: its checksum is not the listed one",
                "run again when nothing writes to the data",
            )


def _parsed(value: dict[str, Any]) -> SourceFile | dict[str, Any]:
    return SourceFile(**value) if "sha256" in value else value


def _leaves(name: str) -> bool:
    return name.startswith("/") or bool({"..", ".", ""} & set(name.split("/")))
