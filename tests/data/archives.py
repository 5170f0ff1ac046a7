"""ZIP archives that ``zipfile`` cannot unpack."""

from __future__ import annotations

import struct
from pathlib import Path

MAKINGS = ("is encrypted", "is compressed by method 93")
"""What is said of what ``unreadable`` makes: with a password, or in the form Zstandard."""


def unreadable(path: Path, said: str) -> None:
    """Change the headers of all members, in place (APPNOTE.TXT of PKWARE, 4.3.7 and 4.3.12)."""
    content = bytearray(path.read_bytes())
    for signature, flags_at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(signature)
        while at >= 0:
            place, value = (flags_at, 1) if "encrypted" in said else (flags_at + 2, 93)
            struct.pack_into("<H", content, at + place, value)
            at = content.find(signature, at + 4)
    path.write_bytes(content)
