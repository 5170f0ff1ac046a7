"""Figures of two runs: metrics with intervals, also of groups and on the sealed images."""

from dataclasses import replace

from components.artifacts.group_result import GroupResult
from components.statistics.bootstrap import Interval
from pipelines.lineage.comparing.metrics import Figure, compare_metrics
from tests.pipelines.runs.kept_run import DEAD, DECISION, LOST, SMALL, TEACHER, Kept

LOW, HIGH = Interval(0.8, 0.75, 0.85), Interval(0.9, 0.86, 0.94)


def board(folder, decision=DECISION):
    folder.mkdir()
    return Kept(folder, decision).board()


def with_small(**changes):
    return replace(DECISION, variants=(TEACHER, replace(SMALL, **changes), DEAD))


def test_equal_runs_have_no_figure_that_differs(tmp_path):
    found = compare_metrics(board(tmp_path / "a"), board(tmp_path / "b"))
    assert found.figures == []
    assert found.same > 5


def test_groups_are_compared_each_for_itself(tmp_path):
    groups = [
        {"north": GroupResult(100, 5, {"auc": LOW}, {}), "south": GroupResult(9, 5, {"auc": LOW}, {})},
        {"north": GroupResult(100, 5, {"auc": HIGH}, {}), "south": GroupResult(9, 5, {"auc": LOW}, {})},
    ]  # fmt: skip
    one, other = (
        board(tmp_path / str(n), with_small(groups=found)) for n, found in enumerate(groups)
    )
    assert compare_metrics(one, other).figures == [
        Figure("student-int8", "auc", "selection", "north", LOW, HIGH, apart=True)
    ]


def test_intervals_that_overlap_are_not_apart(tmp_path):
    near = Interval(0.82, 0.76, 0.87)
    one = board(tmp_path / "a", with_small(metrics={"auc": LOW}))
    other = board(tmp_path / "b", with_small(metrics={"auc": near}))
    (figure,) = compare_metrics(one, other).figures
    assert not figure.apart
    assert (figure.before, figure.now) == (LOW, near)


def test_what_one_run_did_not_measure_is_none_there(tmp_path):
    other = board(tmp_path / "b", with_small(metrics={"auc": LOW, "eer": HIGH}))
    found = compare_metrics(board(tmp_path / "a"), other).figures
    assert Figure("student-int8", "eer", "selection", "", None, HIGH, apart=False) in found


def test_the_winner_is_also_compared_on_the_sealed_images(tmp_path):
    found = compare_metrics(board(tmp_path / "a"), board(tmp_path / "b", LOST))
    assert found.winner == ("student-int8", None)
    sealed = [one for one in found.figures if one.images == "sealed"]
    assert {one.figure for one in sealed} == {"auc", "drop"}
    assert all(one.now is None for one in sealed)
