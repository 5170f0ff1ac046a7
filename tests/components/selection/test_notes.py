"""Notes: what is said of baselines that do as well as what was trained."""

from dataclasses import replace

from components.artifacts.budgets import Budgets
from components.selection.choosing import choose
from components.selection.notes import notes_of
from components.statistics.bootstrap import Interval
from tests.data.candidates import measured

TEACHER = measured("teacher", candidate=False, size_bytes=1_000_000, drop=Interval(0, 0, 0))
LINEAR = ({"component": "train", "backbone": "linear"},)
STUDENT = measured("student", size_bytes=90_000, drop=Interval(0.001, 0.0, 0.002))


def noted(baseline):
    limits = Budgets("auc", 0.01)
    choice = choose([TEACHER, STUDENT, baseline], limits, reference="teacher")
    winner = next((one for one in choice.candidates if one.name == choice.winner), None)
    return list(
        notes_of(
            winner, choice.candidates, reference="teacher", metric="auc", baseline=None,
            ungrouped=0,
        )
    )  # fmt: skip


def line(drop, size=14_000):
    return replace(
        measured("linear-baseline", candidate=False, size_bytes=size, drop=drop, steps=LINEAR),
        verdict="undecided",
    )


def test_a_reference_that_a_linear_map_equals_is_told_of():
    notes = noted(line(Interval(-0.004, -0.02, 0.012)))
    assert notes == [
        (
            "teacher is not certainly better than linear-baseline, 14,000 bytes: ahead by -0.004 "
            "(-0.020 to 0.012) of ROC-AUC. These images cannot show what a network is worth"
        )
    ]


def test_a_linear_map_that_would_win_is_told_of():
    notes = noted(line(Interval(0.004, 0.001, 0.008)))
    assert notes == [
        (
            "linear-baseline keeps every budget, too, and is smaller than student (14,000 bytes): list "
            "it among the variants to let it win"
        )
    ]
    assert noted(line(Interval(0.004, 0.001, 0.008), size=95_000)) == []


def test_a_linear_map_that_loses_is_not_told_of():
    assert noted(line(Interval(0.3, 0.28, 0.32))) == []


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
