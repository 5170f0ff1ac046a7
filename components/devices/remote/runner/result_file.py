"""Result file: the protocol buffer that newer ``benchmark_model`` write, its few numbers.

Read by hand: a message is a row of fields, each a number that says which one and of which form it
is, and then its content.

References:
    LiteRT at f67457790, tflite/tools/benchmark/proto/benchmark_result.proto (fields).
    Protocol Buffers, "Encoding" (forms).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

_LATENCY, _MEMORY, _MISC = 2, 3, 4
"""Of BenchmarkResult."""
_NAMES: Final = {
    (_LATENCY, 1): "avg_ms",
    (_LATENCY, 2): "min_ms",
    (_LATENCY, 3): "max_ms",
    (_LATENCY, 4): "stddev_ms",
    (_LATENCY, 5): "median_ms",
    (_LATENCY, 6): "p5_ms",
    (_LATENCY, 7): "p95_ms",
    (_LATENCY, 8): "init_ms",
    (_LATENCY, 9): "first_inference_ms",
    (_MEMORY, 2): "overall_footprint_kb",
    (_MISC, 2): "num_runs",
    (_MISC, 3): "num_warmup_runs",
}
_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5
_GOES_BEYOND = 0x80


def numbers_in(content: bytes) -> dict[str, float]:
    """Return the numbers of a result file, by the names that its description gives them.

    Args:
        content: Of the file.

    Raises:
        ValueError: It is no such file.
    """
    found: dict[str, float] = {}
    for group, part in _fields(content):
        if group not in (_LATENCY, _MEMORY, _MISC) or not isinstance(part, bytes):
            continue
        for number, value in _fields(part):
            name = _NAMES.get((group, number))
            if name is None:
                continue
            found[name] = _float(value) if isinstance(value, bytes) else float(value)
    return found


def _float(content: bytes) -> float:
    if len(content) != struct.calcsize("<f"):
        raise ValueError("a number of it has another length")
    (value,) = struct.unpack("<f", content)
    return float(value)


def _fields(content: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield number and content of every field: an integer, or bytes of whatever they are."""
    at = 0
    while at < len(content):
        key, at = _varint(content, at)
        number, form = key >> 3, key & 7
        if form == _VARINT:
            value, at = _varint(content, at)
            yield number, value
            continue
        if form == _BYTES:
            size, at = _varint(content, at)
        elif form in (_EIGHT_BYTES, _FOUR_BYTES):
            size = 8 if form == _EIGHT_BYTES else 4
        else:
            raise ValueError(f"form {form} of a field is none")
        if at + size > len(content):
            raise ValueError("it ends in the middle of a field")
        yield number, content[at : at + size]
        at += size


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """Return an integer of seven bits a byte, the lowest first, and where what follows begins."""
    value = shift = 0
    while at < len(content):
        byte = content[at]
        value |= (byte & ~_GOES_BEYOND) << shift
        at, shift = at + 1, shift + 7
        if not byte & _GOES_BEYOND:
            return value, at
    raise ValueError("it ends in the middle of a number")
