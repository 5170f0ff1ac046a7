"""Elf: which shared libraries a program or library needs, from its own headers.

Reference: the ELF specification, "Dynamic Section"; files of 64 bits, little-endian, as all here.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_MAGIC = b"\x7fELF\x02\x01"
_HEADER = struct.Struct("<16xHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_ENTRY = struct.Struct("<qQ")
_LOAD, _DYNAMIC = 1, 2
_END, _NEEDED, _STRINGS = 0, 1, 5


@dataclass(frozen=True)
class Elf:
    """What is known of a program or library.

    Attributes:
        needed: Names of the libraries that are loaded with it.
        page_bytes: The largest page of memory that it can be loaded with, bytes.
    """

    needed: tuple[str, ...]
    page_bytes: int


def read_elf(content: bytes) -> Elf | None:
    """Return what a file says of itself; None where it is no program and no library.

    Args:
        content: Of the file.
    """
    if not content.startswith(_MAGIC):
        return None
    header = _HEADER.unpack_from(content)
    offset, size, count = header[4], header[8], header[9]
    segments = [_SEGMENT.unpack_from(content, offset + size * each) for each in range(count)]
    loads = [segment for segment in segments if segment[0] == _LOAD]
    entries = [
        entry
        for kind, _, at, _, _, length, _, _ in segments
        if kind == _DYNAMIC
        for entry in _entries(content[at : at + length])
    ]
    addresses = [value for tag, value in entries if tag == _STRINGS]
    strings = _at(loads, addresses[0]) if addresses else 0
    needed = (_text(content, strings + value) for tag, value in entries if tag == _NEEDED)
    return Elf(tuple(needed), min(segment[7] for segment in loads))


def _entries(section: bytes) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for at in range(0, len(section) - _ENTRY.size + 1, _ENTRY.size):
        tag, value = _ENTRY.unpack_from(section, at)
        if tag == _END:
            break
        found.append((tag, value))
    return found


def _at(loads: list[tuple[int, ...]], address: int) -> int:
    """Return where in the file the byte lies that has an address in memory."""
    for _, _, at, virtual, _, length, _, _ in loads:
        if virtual <= address < virtual + length:
            return at + address - virtual
    raise ValueError("a library has its names outside what is loaded of it")


def _text(content: bytes, at: int) -> str:
    return content[at : content.index(b"\0", at)].decode()
