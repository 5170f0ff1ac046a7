"""ZIP archives of users, such as ``.npz`` and ``.keras`` files: whether they can be unpacked."""

from __future__ import annotations

import zipfile
from typing import Final

from components.contract.errors import UserError

_ENCRYPTED: Final = 0x1
"""Flag of a member; APPNOTE.TXT of PKWARE, section 4.4.4."""
_METHODS: Final = frozenset(
    {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
)


def check_unpackable(archive: zipfile.ZipFile, name: str) -> None:
    """Refuse what ``zipfile`` cannot unpack, which it says only when it reads a member.

    Args:
        archive: Opened for reading; nothing is unpacked.
        name: Of the file, for errors.

    Raises:
        UserError: A member is encrypted, or packed by a method that Python does not know.
    """
    for member in archive.infolist():
        if member.flag_bits & _ENCRYPTED:
            raise UserError(
                f"{name} is encrypted", "unpack it with its password, and pack it again without"
            )
        if member.compress_type not in _METHODS:
            raise UserError(
                f"{name} is compressed by method {member.compress_type}, which is not read",
                "unpack it, and pack it again: python -m zipfile -c FILE *",
            )
