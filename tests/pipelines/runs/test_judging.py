"""Who judges is counted by ingest, or foretold from names, and too few are warned of."""

from __future__ import annotations

from components.data.settings import CurationPlan
from pipelines.runs.judging import Judges, expected_judges, judges_of

THINGS = CurationPlan(task="classification", split_by="image")
PEOPLE = CurationPlan(task="verification")


def _names(labels: int, each: int, top: str = "") -> list[str]:
    return [f"{top}c{label}/{number}.jpg" for label in range(labels) for number in range(each)]


def test_names_foretell_who_judges() -> None:
    assert expected_judges(_names(10, 100), "folder", THINGS) == Judges(
        "classification", "image", 150, counted=False
    )
    assert expected_judges(_names(40, 10), "folder", PEOPLE) == Judges(
        "verification", "identity", 6, counted=False
    )
    own = [*_names(10, 100, "train/"), *_names(10, 30, "val/"), "train/c0/notes.txt"]
    judges = expected_judges(own, "folder", THINGS)
    assert judges
    assert judges.count == 150
    assert expected_judges(["a.npz"], "npz", THINGS) is None


def test_too_few_are_warned_of_with_the_number_that_would_do() -> None:
    report = {
        "splits": {"selection": {"images": 150, "classes": 10}},
        "task": "classification",
        "resample": "image",
    }
    judges = judges_of(report)
    assert judges
    warning = judges.too_few(None, 0.01, 0.95)
    assert warning.startswith(
        "150 images compare the variants; to prove a drop of accuracy of at most 0.01 takes about "
        "1,860"
    )
    assert judges.too_few(None, 0.05, 0.95) == ""  # the larger drop that it advises
    assert judges_of({"splits": report["splits"]}) is None
    people = Judges("verification", "identity", 6, counted=True).too_few("auc", 0.02, 0.95)
    assert "6 identities compare the variants" in people
    assert "about 25," in people
