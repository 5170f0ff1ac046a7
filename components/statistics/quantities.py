"""Quantities as people read them: one way to write bytes, times and intervals everywhere."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a command that only writes a size loads no numpy
    from components.statistics.bootstrap import Interval

MEGABYTE = 1_000_000
"""Bytes in a megabyte. Budgets and reports count in powers of ten, as phones and shops do."""

KIBIBYTE = 1_024
"""Bytes of what data sheets of microcontrollers call a kilobyte."""

_MICROSECONDS = 1_000.0
"""In a millisecond."""
_MILLISECOND_SHOWN = 0.9995
"""What is shorter is below a millisecond when it is written with three digits, too."""

_MOST_DIGITS = 17  # of a float: beyond them two different numbers cannot look equal


def significant(value: float, digits: int = 3) -> str:
    """Write a number with so many significant digits, commas, and no idle zeros.

    Digits in front of the point are never rounded away.

    Example:
        >>> [significant(value) for value in (131.6, 0.0314159, 1.90, 1234567)]
        ['132', '0.0314', '1.9', '1,234,567']
    """
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def written_above(value: float) -> str:
    """Write a number of three digits that is not below ``value``: a budget that it keeps.

    Example:
        >>> [written_above(value) for value in (0.0123401, 4.56, 1234.0)]
        ['0.0124', '4.56', '1240']
    """
    place = 10.0 ** (math.floor(math.log10(value)) - 2) if value > 0 else 1.0
    steps = math.ceil(value / place)
    while float(f"{steps * place:.6g}") < value:  # what is written must not be a hair below
        steps += 1
    return f"{float(f'{steps * place:.6g}'):g}"


def milliseconds(value: float, digits: int = 3) -> str:
    """Write a time.

    Example:
        >>> milliseconds(0.15312)
        '0.153 ms'
    """
    return f"{significant(value, digits)} ms"


def millijoules(value: float, digits: int = 3) -> str:
    """Write an energy.

    Example:
        >>> millijoules(4.125)
        '4.12 mJ'
    """
    return f"{significant(value, digits)} mJ"


def short_time(value_ms: float, digits: int = 3) -> str:
    """Write a time in the unit that suits it: microseconds below a millisecond.

    Example:
        >>> [short_time(value) for value in (0.0393, 0.9999, 4.2)]
        ['39.3 µs', '1 ms', '4.2 ms']
    """
    return f"{_in_unit(value_ms, digits)} {time_unit(value_ms)}"


def time_unit(value_ms: float) -> str:
    """Return the unit in which a time is written."""
    return "µs" if 0 < value_ms < _MILLISECOND_SHOWN else "ms"


def short_times(low_ms: float, high_ms: float) -> str:
    """Write two times in the unit that suits the longer one.

    Example:
        >>> short_times(0.0051, 0.0072)
        '5.1 to 7.2 µs'
    """
    scale = _MICROSECONDS if time_unit(high_ms) == "µs" else 1.0
    return f"{significant(low_ms * scale)} to {short_time(high_ms)}"


def _in_unit(value_ms: float, digits: int) -> str:
    scale = _MICROSECONDS if time_unit(value_ms) == "µs" else 1.0
    return significant(value_ms * scale, digits)


def whole_bytes(count: int) -> str:
    """Write an exact size.

    Example:
        >>> whole_bytes(41320)
        '41,320 bytes'
    """
    return f"{count:,} bytes"


def megabytes(count: float, digits: int = 3) -> str:
    """Write a size in units of 1,000,000 bytes.

    Example:
        >>> megabytes(1_900_000)
        '1.9 MB'
    """
    return f"{significant(count / MEGABYTE, digits)} MB"


def kibibytes(count: float, digits: int = 3) -> str:
    """Write a size in units of 1,024 bytes, as memory on a microcontroller is counted.

    Example:
        >>> kibibytes(4_048)
        '3.95 KiB'
    """
    return f"{significant(count / KIBIBYTE, digits)} KiB"


def short_bytes(count: float) -> str:
    """Write a size in the decimal unit that suits it.

    Example:
        >>> short_bytes(780_000), short_bytes(2_240_436)
        ('780 kB', '2.24 MB')
    """
    for unit, size in (("GB", 1_000 * MEGABYTE), ("MB", MEGABYTE), ("kB", 1_000)):
        if count >= size:
            return f"{significant(count / size)} {unit}"
    return f"{count:,.0f} B"


def ratio(value: float) -> str:
    """Write how many times smaller something is.

    Example:
        >>> ratio(122.3), ratio(3.91)
        ('122x', '3.9x')
    """
    return f"{significant(value, 2)}x"


def decimal(value: float, places: int = 3) -> str:
    """Write a metric or a drop with fixed places, without a negative zero.

    Example:
        >>> decimal(0.99132), decimal(-0.0001)
        ('0.991', '0.000')
    """
    return f"{round(value, places) + 0.0:.{places}f}"


def exact_places(value: float, places: int = 3) -> int:
    """Return how many places, at least ``places``, a number that somebody wrote down needs.

    Example:
        >>> exact_places(0.01), exact_places(0.0125)
        (3, 4)
    """
    while places < _MOST_DIGITS and not math.isclose(float(decimal(value, places)), value):
        places += 1
    return places


def with_interval(given: Interval, places: int = 3) -> str:
    """Write a value with its interval.

    Example:
        >>> from components.statistics.bootstrap import Interval
        >>> with_interval(Interval(0.0311, 0.012, 0.052))
        '0.031 (0.012 to 0.052)'
    """
    low, high = decimal(given.low, places), decimal(given.high, places)
    return f"{decimal(given.value, places)} ({low} to {high})"


def distinct_digits(
    one: float, other: float, write: Callable[[float, int], str], digits: int = 3
) -> int:
    """Return the digits that ``write`` needs for two different numbers to look different.

    A sentence that says "1 MB > 1 MB" helps nobody.

    Example:
        >>> digits = distinct_digits(1_000_001, 1_000_000, megabytes)
        >>> megabytes(1_000_001, digits)
        '1.000001 MB'
    """
    while digits < _MOST_DIGITS and one != other and write(one, digits) == write(other, digits):
        digits += 1
    return digits
