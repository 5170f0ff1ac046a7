"""Curves that are small enough to be metadata."""

from __future__ import annotations

from typing import Any

from components.contract.curves import thinned
from components.contract.digests import canonical_json


def roc(points: int) -> dict[str, Any]:
    return {"confidenceMetrics": [{"confidenceThreshold": 1.0, "recall": n} for n in range(points)]}


def matrix(rows: list[list[int]], names: list[str]) -> dict[str, Any]:
    specs = [{"displayName": name} for name in names]
    return {"confusionMatrix": {"annotationSpecs": specs, "rows": [{"row": row} for row in rows]}}


def test_what_fits_is_as_it_was() -> None:
    for curve in (roc(10), matrix([[1, 2], [3, 4]], ["a", "b"]), {}):
        assert thinned(curve, 10_000) == curve


def test_every_other_point_goes_until_the_rest_fits_and_both_ends_stay() -> None:
    for count in (999, 1000):
        made: Any = thinned(roc(count), 10_000)
        recall = [point["recall"] for point in made["confidenceMetrics"]]
        assert len(canonical_json(made)) <= 10_000
        assert (recall[0], recall[-1]) == (0, count - 1)
        assert recall == sorted(recall)
        assert len(recall) > 100


def test_classes_that_are_rarely_confused_become_one() -> None:
    rows = [[5, 0, 0, 2], [0, 6, 0, 0], [0, 0, 7, 0], [1, 0, 0, 8]]
    names = ["a" * 50, "b" * 50, "c" * 50, "d" * 50]
    full = matrix(rows, names)
    made = thinned(full, len(canonical_json(full)) - 1)
    assert made == matrix([[5, 2], [1, 21]], ["a" * 50, "(the other 3 classes)"])


def test_what_was_merged_before_is_counted_and_stays_merged() -> None:
    names = ["a" * 50, "b" * 50, "c" * 50, "(the other 1,000 classes)"]
    full = matrix([[5, 3, 0, 9], [0, 6, 0, 9], [0, 0, 7, 9], [9, 9, 9, 9]], names)
    made = thinned(full, len(canonical_json(full)) - 1)
    shown: Any = made["confusionMatrix"]
    told = [one["displayName"] for one in shown["annotationSpecs"]]
    assert told == ["a" * 50, "(the other 1,002 classes)"]


def test_what_cannot_be_made_to_fit_is_as_it_was() -> None:
    full = matrix([[1, 2], [3, 4]], ["a" * 500, "b" * 500])
    assert thinned(full, 100) == full
    assert thinned(roc(2), 10) == roc(2)
