"""The archive of a bundle: a zip file that has one form only.

Nothing is compressed, nothing has a date, entries stand in the order of their names. So equal
contents are equal bytes, an archive that differs from what its own contents give was changed, and
to read one takes no more memory than it has bytes, whatever it claims.

References:
    APPNOTE.TXT, .ZIP File Format Specification, sections 4.3.7, 4.3.12 and 4.3.16.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Mapping

from components.contract.errors import UserError

ENTRIES_MAX = 65_000
SIZE_BYTES_MAX = (1 << 32) - (1 << 20)
"""More needs the 64-bit form of the format, which not every reader has."""

_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")
_LOCAL_MAGIC, _CENTRAL_MAGIC, _END_MAGIC = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_VERSION, _DAY = 20, 0x21  # 1 January 1980, the first day that the format has
_UNIX, _REGULAR = 3 << 8, 0o100644 << 16
_NAME = re.compile(r"[A-Za-z0-9._=-]+(/[A-Za-z0-9._=-]+)*")
_NAME_BYTES_MAX = 600


class NoArchiveError(ValueError):
    """Bytes are no archive as ``write_archive`` writes it."""


def write_archive(files: Mapping[str, bytes]) -> bytes:
    """Return the archive of some files; equal files give equal bytes.

    Args:
        files: Contents by name.

    Raises:
        UserError: They are too many, or too large together.
    """
    names = sorted(files)
    total = sum(len(data) for data in files.values())
    if len(names) > ENTRIES_MAX or total > SIZE_BYTES_MAX:
        raise UserError(
            f"a bundle would have {len(names):,} files of {total:,} bytes; it takes at most "
            f"{ENTRIES_MAX:,} of {SIZE_BYTES_MAX:,}",
            "slimline export RUN --format release, and keep the store for slimline verify",
        )
    body, central = bytearray(), bytearray()
    for name in names:
        assert is_entry(name), name
        data, encoded = files[name], name.encode()
        same = (zlib.crc32(data), len(data), len(data), len(encoded), 0)
        head = (_VERSION, 0, 0, 0, _DAY)
        central += _CENTRAL.pack(
            _CENTRAL_MAGIC, _UNIX | _VERSION, *head, *same, 0, 0, 0, _REGULAR, len(body)
        )
        central += encoded
        body += _LOCAL.pack(_LOCAL_MAGIC, *head, *same) + encoded + data
    count = len(names)
    end = _END.pack(_END_MAGIC, 0, 0, count, count, len(central), len(body), 0)
    return bytes(body + central + end)


def is_entry(name: str) -> bool:
    """Whether an archive can have a file of this name: a relative path that leads nowhere else."""
    return (
        _NAME.fullmatch(name) is not None
        and len(name) <= _NAME_BYTES_MAX
        and {".", ".."}.isdisjoint(name.split("/"))
    )


def read_archive(data: bytes) -> dict[str, bytes]:
    """Return the files of an archive by name.

    Args:
        data: The whole archive.

    Raises:
        NoArchiveError: It is not, byte for byte, what ``write_archive`` gives for these files.
    """
    files: dict[str, bytes] = {}
    position = 0
    while data[position : position + 4] == _LOCAL_MAGIC:
        name, content, position = _entry(data, position)
        if name in files:
            raise NoArchiveError(f"it has two files {name}")
        files[name] = content
        if len(files) > ENTRIES_MAX:
            raise NoArchiveError(f"it has more than {ENTRIES_MAX:,} files")
    if not files:
        raise NoArchiveError("it has no files, or is no zip file")
    if list(files) != sorted(files):
        raise NoArchiveError("its files are not in the order of their names")
    if write_archive(files) != data:
        raise NoArchiveError("it differs from what its own files give")
    return files


def _entry(data: bytes, position: int) -> tuple[str, bytes, int]:
    """Read one file and return its name, its bytes and where the next one begins.

    Raises:
        NoArchiveError: See ``read_archive``.
    """
    try:
        _, _, flags, method, _, _, _, packed, size, length, extra = _LOCAL.unpack_from(
            data, position
        )
    except struct.error:
        raise NoArchiveError("it is cut short") from None
    start = position + _LOCAL.size
    name = data[start : start + length].decode(errors="replace")
    if not is_entry(name):
        raise NoArchiveError(f"it has a file {name[:80]!r}, a name that no bundle has")
    if method or flags or extra or packed != size:
        raise NoArchiveError(f"its file {name} is compressed, encrypted or has a size of its own")
    end = start + length + size
    if end > len(data):
        raise NoArchiveError(f"its file {name} claims {size:,} bytes, which are not there")
    return name, data[start + length : end], end
