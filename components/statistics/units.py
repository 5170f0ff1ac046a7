"""Units: numbers that are compared with each other are written in one unit that fits them.

A module of its own, so that what measures is not measured again when a sentence is written anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from components.statistics.quantities import (
    MEGABYTE,
    megabytes,
    milliseconds,
    significant,
    time_unit,
)

Writer: TypeAlias = Callable[[float, int], str]
"""Writes a number with so many significant digits, and its unit."""

_MICROSECONDS = 1_000.0
"""In a millisecond."""
_KILOBYTE = 1_000
_MEGABYTE_SHOWN = 0.9995 * MEGABYTE
"""What is shorter is below a megabyte when it is written with three digits, too."""


def time_writer(longest_ms: float) -> Writer:
    """Return what writes times that are compared, in the one unit that suits the longest.

    Example:
        >>> write = time_writer(0.00285)
        >>> write(0.00285, 3), write(0.001, 3)
        ('2.85 µs', '1 µs')
    """
    if time_unit(longest_ms) == "ms":
        return milliseconds
    return lambda value_ms, digits: f"{significant(value_ms * _MICROSECONDS, digits)} µs"


def size_writer(largest: float) -> Writer:
    """Return what writes sizes that are compared, in the one unit that suits the largest.

    Example:
        >>> write = size_writer(18_704)
        >>> write(18_704, 3), write(10_000, 3)
        ('18.7 kB', '10 kB')
    """
    if largest >= _MEGABYTE_SHOWN:
        return megabytes
    return lambda count, digits: f"{significant(count / _KILOBYTE, digits)} kB"
