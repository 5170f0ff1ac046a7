"""Requests as the storage is asked them, and the damage that a fault does to what they carry."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Request:
    """One request with its body; ``corrupt`` asks for a flipped bit in the content of an upload."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    corrupt: bool = False

    def json(self) -> dict[str, Any]:
        return json.loads(self.body or b"{}")

    def content(self, data: bytes) -> bytes:
        return flipped(data) if self.corrupt else data


def flipped(data: bytes | memoryview) -> bytes:
    """Return the same bytes with one bit of the middle one changed."""
    made = bytearray(data)
    if made:
        made[len(made) // 2] ^= 1
    return bytes(made)
