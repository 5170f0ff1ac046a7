"""The page of the benchmarks names all parts that there are."""

import re
from pathlib import Path

from tests.benchmarks.__main__ import BENCHES, NAMED_BENCHES

PAGE = (Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text()


def test_every_part_is_named():
    listed = re.search(r"runs only the parts that it\s+names, of (.*?);", PAGE, re.DOTALL)
    assert listed
    assert set(re.findall(r"`([\w-]+)`", listed[1])) == set(BENCHES)
    for name in NAMED_BENCHES:
        assert f"`{name}`" in PAGE
