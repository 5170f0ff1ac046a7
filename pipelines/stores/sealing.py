"""Seals: white space at the end of an object that makes its bytes differ with each write.

The entity tag that S3 compares is the MD5 of the bytes, so a value that was written again with the
same bytes would keep its version: who looked before it could still replace or remove it. A seal is
64 characters of white space, which readers of JSON and of text do not see; it certifies itself, so
that what was copied here by other means, and has none, is read as it is.
"""

from __future__ import annotations

import hashlib

SEAL_BYTES = 64
_ALPHABET = b" \t\n\r"
_HALF_BYTES = 8
_SAYS = b"slimline seal "


def seal(nonce: str) -> bytes:
    """Return the seal of a write.

    Args:
        nonce: Hexadecimal, another one for each write.
    """
    unique = hashlib.sha256(nonce.encode()).digest()[:_HALF_BYTES]
    return _encoded(unique + _proof(unique))


def is_seal(tail: bytes) -> bool:
    """Whether these are the bytes of a seal."""
    if len(tail) != SEAL_BYTES or not set(tail) <= set(_ALPHABET):
        return False
    digits = [_ALPHABET.index(character) for character in tail]
    fours = [digits[start : start + 4] for start in range(0, SEAL_BYTES, 4)]
    data = bytes(a << 6 | b << 4 | c << 2 | d for a, b, c, d in fours)
    return data[_HALF_BYTES:] == _proof(data[:_HALF_BYTES])


def unsealed(data: bytes) -> bytes:
    """Return the value that an object holds."""
    return data[:-SEAL_BYTES] if is_seal(data[-SEAL_BYTES:]) else data


def _proof(unique: bytes) -> bytes:
    return hashlib.sha256(_SAYS + unique).digest()[:_HALF_BYTES]


def _encoded(data: bytes) -> bytes:
    return bytes(_ALPHABET[byte >> shift & 3] for byte in data for shift in (6, 4, 2, 0))
