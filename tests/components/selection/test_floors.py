"""Floors: the lower end of the interval decides, in all and for each group."""

from __future__ import annotations

from typing import Any

import pytest

from components.artifacts.budgets import Budgets
from components.artifacts.decision import Candidate
from components.artifacts.group_result import GroupResult
from components.selection.choosing import choose
from components.selection.floors import floor_faults
from components.statistics.bootstrap import Interval
from tests.data.candidates import measured

HIGH, LOW, UNSURE = Interval(0.97, 0.96, 0.98), Interval(0.8, 0.75, 0.85), Interval(0.96, 0.9, 1.0)


def group(auc: Interval | None, reason: str = "3 identities; 5 are needed") -> GroupResult:
    if auc is None:
        return GroupResult(6, 3, {}, {"auc": reason})
    return GroupResult(60, 6, {"auc": auc}, {})


def judged(
    auc: Interval = HIGH, groups: dict[str, GroupResult] | None = None, **budgets: Any
) -> tuple[str | None, Candidate]:
    """The winner, if any, and what was found of the one candidate."""
    limits = Budgets("auc", drop=0.1, **{"at_least": {"auc": 0.95}, **budgets})
    small = measured("small", metrics={"auc": auc}, groups=groups or {})
    choice = choose([measured("teacher", candidate=False), small], limits, reference="teacher")
    return choice.winner, choice.candidates[1]


def test_a_floor_holds_when_the_lower_end_reaches_it() -> None:
    assert judged(HIGH)[0] == "small"
    assert judged(Interval(0.97, 0.95, 0.98))[0] == "small"
    winner, found = judged(LOW)
    assert winner is None
    assert found.verdict == "over-budget"
    assert found.reason == "ROC-AUC 0.800 (0.750 to 0.850) is below 0.950"
    assert found.excess == pytest.approx(0.2 / 0.95)
    winner, found = judged(UNSURE)
    assert winner is None
    assert found.reason == "ROC-AUC 0.960 (0.900 to 1.000) may be below 0.950"


def test_without_a_winner_the_floor_stands_beside_the_nearest_misses() -> None:
    limits = Budgets("auc", drop=0.1, at_least={"auc": 0.95})
    ones = [measured("far", metrics={"auc": LOW}), measured("near", metrics={"auc": UNSURE})]
    choice = choose([measured("teacher", candidate=False), *ones], limits, reference="teacher")
    assert [miss.name for miss in choice.near_misses] == ["near", "far"]
    assert choice.reason == (
        "none of 2 candidates keeps every budget; nearest is near: "
        "ROC-AUC 0.960 (0.900 to 1.000) may be below 0.950"
    )


def test_the_worst_group_is_named_where_floors_hold_for_each() -> None:
    groups = {"Greek": group(HIGH), "Latin": group(LOW), "Thai": group(UNSURE)}
    assert judged(groups=groups)[0] == "small"
    winner, found = judged(groups=groups, per="group")
    assert winner is None
    assert found.reason == (
        "ROC-AUC of the group 'Latin' 0.800 (0.750 to 0.850) is below 0.950 (the worst of 2 groups)"
    )
    assert judged(groups={"Greek": group(HIGH)}, per="group")[0] == "small"
    assert judged(LOW, groups={"Greek": group(HIGH)}, per="group")[0] is None


def test_a_group_that_cannot_be_measured_leaves_it_undecided() -> None:
    groups = {"Greek": group(HIGH), "Lao": group(None), "Thai": group(None)}
    assert judged(groups=groups)[0] == "small"
    winner, found = judged(groups=groups, per="group")
    assert winner is None
    assert found.verdict == "undecided"
    assert found.reason == (
        "ROC-AUC cannot be measured for the group 'Lao' (3 identities; 5 are needed), and for 1 more"
    )
    _, found = judged(groups={**groups, "Latin": group(LOW)}, per="group")
    assert found.verdict == "over-budget"


def test_a_floor_of_what_was_not_measured_is_unknown() -> None:
    winner, found = judged(at_least={"accuracy": 0.9})
    assert (winner, found.verdict) == (None, "undecided")
    assert found.reason == "accuracy was not measured, so whether its floor holds is unknown"


def test_one_that_the_trivial_answer_may_equal_wins_only_where_no_other_does() -> None:
    ahead, level = Interval(0.2, 0.1, 0.3), Interval(0.01, -0.02, 0.04)
    limits = Budgets("auc", drop=0.1)
    teacher = measured("teacher", candidate=False, size_bytes=90_000)
    small = measured("small", size_bytes=1_000, lead=level)
    large = measured("large", size_bytes=5_000, lead=ahead)
    choice = choose([teacher, small, large], limits, reference="teacher")
    assert choice.winner == "large"
    assert choice.reason == (
        "large is the smallest of the 1 of 2 candidates that keep every budget and are certainly "
        "better than the trivial answer: 5,000 bytes"
    )
    assert choice.candidates[1].reason == (
        "kept the budget, but the trivial answer may equal it (ahead by 0.010 (-0.020 to 0.040))"
    )
    assert choose([teacher, small], limits, reference="teacher").winner == "small"


@pytest.mark.parametrize(
    ("task", "floors", "per", "what", "fix"),
    [
        ("verification", {"acu": 0.9}, None, "no metric 'acu'", "did you mean 'auc'?"),
        ("classification", {"tar": 0.9}, None, "no metric 'tar'", "accuracy"),
        ("verification", {"eer": 0.1}, None, "the better the lower", "auc, accuracy"),
        ("verification", {}, "group", "there are none", "add at_least: {auc: 0.9}"),
        ("classification", {}, "group", "there are none", "add at_least: {accuracy: 0.9}"),
    ],
)
def test_floors_that_cannot_be_are_refused(
    task: str, floors: dict[str, float], per: str | None, what: str, fix: str
) -> None:
    (fault,) = floor_faults(task, floors, per)
    assert what in fault.what
    assert fix in fault.fix


def test_floors_as_advised_are_taken() -> None:
    assert not list(floor_faults("verification", {"auc": 0.9, "tar": 0.8}, "group"))
    assert not list(floor_faults("classification", {"accuracy": 0.9, "macro_f1": 0.5}, None))
