"""Notes of a decision."""

from __future__ import annotations

from components.selection.notes import notes_of
from tests.data.candidates import measured


def test_variants_with_the_same_warning_are_named_together() -> None:
    slow, shown = ("slow kernels",), ("slow kernels", "no file to ship")
    variants = (
        measured("teacher"),
        measured("one", warnings=slow),
        measured("two", warnings=shown),
    )
    given = {"reference": "teacher", "metric": "auc", "baseline": None, "ungrouped": 0}
    found = list(notes_of(None, variants, **given))
    assert found == ["one, two: slow kernels", "two: no file to ship"]
    assert list(notes_of(None, variants[:1], **given)) == []
