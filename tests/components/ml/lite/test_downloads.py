"""Lengths of downloads."""

from __future__ import annotations

import gzip

import brotli
import numpy as np

from components.ml.lite import downloads


def test_lengths_are_those_of_the_tools() -> None:
    content = np.random.default_rng(0).integers(0, 9, 5000, np.uint8).tobytes()
    assert downloads.gzip_bytes(content) == len(gzip.compress(content, 9, mtime=0)) < 5000
    found = downloads.brotli_of(content)
    assert found == {"brotli_bytes": len(brotli.compress(content)), "brotli_quality": 11}
    assert brotli.decompress(brotli.compress(content)) == content


def test_the_best_quality_is_not_waited_for_where_files_are_long() -> None:
    content = bytes(downloads.BEST_BYTES_MAX)
    assert downloads.brotli_of(content)["brotli_quality"] == 11
    assert downloads.brotli_of(content + b"0")["brotli_quality"] == 6
