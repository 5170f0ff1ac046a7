"""What a file is as a download: compressed as app stores and servers do."""

from __future__ import annotations

import gzip

import brotli

BEST, FAST = 11, 6
"""Qualities of brotli. On weights the best takes 2 to 3 seconds for a million bytes, the other 0.01
and comes out where gzip does."""

BEST_BYTES_MAX = 1_000_000
"""Longest file that the best quality is worth its time on."""


def gzip_bytes(content: bytes) -> int:
    """Return the length after gzip, level 9."""
    return len(gzip.compress(content, 9, mtime=0))


def brotli_of(content: bytes) -> dict[str, int]:
    """Return the length after brotli, and at which quality: 11, or 6 above a million bytes.

    References:
        RFC 7932.
    """
    quality = BEST if len(content) <= BEST_BYTES_MAX else FAST
    # A window of 2**24 bytes, the largest that every decoder takes.
    packed = brotli.compress(content, quality=quality, lgwin=24)
    return {"brotli_bytes": len(packed), "brotli_quality": quality}
