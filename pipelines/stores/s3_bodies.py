"""Bodies of requests and answers: what is sent of a file, and whether what arrived is the same."""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass
from typing import Any, BinaryIO

from pipelines.stores.objects import DamagedTransfer

SHA256 = "slimline-sha256"
"""Where a writer leaves the digest of what it wrote."""

_BLOCK_BYTES = 1 << 20


@dataclass
class TailedFile:
    """A file followed by a few bytes, to be read from its beginning as often as it is sent."""

    source: BinaryIO
    size: int
    tail: bytes
    place: int = 0

    def read(self, count: int | None = -1) -> bytes:
        """Return up to ``count`` bytes."""
        left = self.size + len(self.tail) - self.place
        count = left if count is None or count < 0 else min(count, left)
        data = b""
        if self.place < self.size:
            self.source.seek(self.place)
            data = self.source.read(min(count, self.size - self.place))
            self.place += len(data)
        if len(data) < count and self.place >= self.size:
            start = self.place - self.size
            more = self.tail[start : start + count - len(data)]
            self.place += len(more)
            data += more
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place."""
        base = (0, self.place, self.size + len(self.tail))[whence]
        self.place = base + offset
        return self.place

    def tell(self) -> int:
        """Return the place."""
        return self.place


def digests_of(source: BinaryIO, tail: bytes) -> tuple[str, str, int]:
    """Return MD5 of what is sent, in base64, sha256 of what is kept, and the size that is sent."""
    md5, sha256, size = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0
    while block := source.read(_BLOCK_BYTES):
        md5.update(block)
        sha256.update(block)
        size += len(block)
    md5.update(tail)
    return base64.b64encode(md5.digest()).decode(), sha256.hexdigest(), size + len(tail)


def hold(name: str, answer: Any, sha256: str) -> None:
    """Hold what arrived against what its writer said of it, where that was slimline."""
    said = answer.get("Metadata", {}).get(SHA256) if answer else None
    if said and said != sha256:
        raise DamagedTransfer(f"{name} arrived with another sha256 than it was sent with")
