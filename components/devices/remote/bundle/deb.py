"""Deb: the files in a Debian package, read by the standard library alone.

Reference: ``deb(5)``: an ``ar`` archive whose member ``data.tar.xz`` holds the files.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from components.contract.errors import UserError

_MAGIC = b"!<arch>\n"
_HEADER_BYTES = 60
_DATA = "data.tar"
_READ = ("", ".gz", ".bz2", ".xz")
"""Compressions that every Python from 3.11 on reads; Ubuntu's packages have another one, zstd."""


@dataclass(frozen=True)
class DebFiles:
    """What a package puts where.

    Attributes:
        files: Content by path, without a leading slash.
        links: What a symbolic link says, by the path of the link.
    """

    files: Mapping[str, bytes]
    links: Mapping[str, str]


def read_deb(content: bytes, name: str) -> DebFiles:
    """Return the files of a package.

    Args:
        content: Of the ``.deb``.
        name: Of the package, for the sentence if it is none.

    Raises:
        UserError: It is no package, or one that is compressed in a way that is not read here.
    """
    for member, data in _members(content, name):
        if not member.startswith(_DATA):
            continue
        if member.removeprefix(_DATA) not in _READ:
            raise UserError(
                f"the package {name} holds {member}, and of its kind only data.tar.xz is read",
                "name mirrors of Debian in SLIMLINE_DEBIAN_MIRRORS: its packages are compressed "
                "by xz",
            )
        return _files(data)
    raise _no_package(name)


def _members(content: bytes, name: str) -> Iterator[tuple[str, bytes]]:
    if not content.startswith(_MAGIC):
        raise _no_package(name)
    at = len(_MAGIC)
    while at + _HEADER_BYTES <= len(content):
        header = content[at : at + _HEADER_BYTES]
        size = int(header[48:58])
        at += _HEADER_BYTES
        yield header[:16].decode("ascii").strip().rstrip("/"), content[at : at + size]
        at += size + size % 2


def _files(data: bytes) -> DebFiles:
    files: dict[str, bytes] = {}
    links: dict[str, str] = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for entry in archive:
            path = entry.name.removeprefix("./")
            if entry.issym():
                links[path] = entry.linkname
            elif entry.isfile() or entry.islnk():
                opened = archive.extractfile(entry)
                assert opened is not None, "only folders and devices have no content"
                files[path] = opened.read()
    return DebFiles(files, links)


def _no_package(name: str) -> UserError:
    return UserError(
        f"what came as the package {name} is none of Debian's", "try another mirror, or again later"
    )
