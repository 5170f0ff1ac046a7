"""Requests and answers, as a handler hands them on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


class ConnectionCutError(Exception):
    """There is no answer: the connection ends with a reset."""


@dataclass(frozen=True)
class Answer:
    """A response; ``promised_bytes`` is its Content-Length where the body is cut short."""

    status: int
    body: bytes | memoryview = b""
    headers: tuple[tuple[str, str], ...] = ()
    promised_bytes: int | None = None

    @classmethod
    def of(cls, value: object, status: int = 200) -> Answer:
        return cls(status, json.dumps(value).encode(), (("Content-Type", "application/json"),))


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
