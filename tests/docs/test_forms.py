"""The tables of what is taken are what slimline answers today."""

from __future__ import annotations

import pytest

from components.data.formats import READS_HEIF
from docs import forms


@pytest.mark.parametrize("name", forms.TABLES)
def test_the_table_is_what_happens(name: str) -> None:
    if READS_HEIF:
        pytest.skip("the table is of an installation without pillow-heif")
    page = forms.PAGE.read_text(encoding="utf-8")
    assert page == forms.written(page, name, forms.table(name)), "run python -m docs.forms"


def test_all_that_is_refused_has_a_way_out() -> None:
    rows = forms.PAGE.read_text(encoding="utf-8").splitlines()
    refused = [row for row in rows if "| refused: " in row]
    assert len(refused) > 8
    assert all(". Fix: " in row for row in refused)
