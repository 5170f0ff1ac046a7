"""Numbers that are compared are written in one unit that fits, and still differ."""

import pytest

from components.statistics.quantities import distinct_digits
from components.statistics.units import size_writer, time_writer


@pytest.mark.parametrize(
    ("writer", "pair", "told"),
    [
        (time_writer, (0.00285, 0.001), ("2.85 µs", "1 µs")),
        (time_writer, (1.5, 0.001), ("1.5 ms", "0.001 ms")),
        (time_writer, (0.9998, 0.5), ("1 ms", "0.5 ms")),
        (time_writer, (0.0010001, 0.001), ("1.0001 µs", "1 µs")),
        (size_writer, (18_704, 10_000), ("18.7 kB", "10 kB")),
        (size_writer, (1_900_000, 10_000), ("1.9 MB", "0.01 MB")),
        (size_writer, (999_900, 999_000), ("1 MB", "0.999 MB")),
        (size_writer, (10_001, 10_000), ("10.001 kB", "10 kB")),
    ],
)
def test_both_have_the_unit_of_the_larger(writer, pair, told):
    write = writer(max(pair))
    digits = distinct_digits(*pair, write)
    assert tuple(write(value, digits) for value in pair) == told
