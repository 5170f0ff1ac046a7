"""Choosing again gives what the choice would have given, from what a decision keeps of it."""

from dataclasses import replace

from hypothesis import given

from components.artifacts.budgets import Budgets
from components.artifacts.decision import Decision, NearMiss, Split
from components.selection.again import choose_again
from components.selection.choosing import choose
from components.statistics.bootstrap import Interval
from tests.components.selection.test_choosing import budgets, candidates, goals
from tests.data.candidates import measured

SPLIT = Split("selection", "images", 100, 10, "identity", {"selection": 100})


def decided(variants, limits, goal):
    choice = choose(variants, limits, reference="teacher", minimize=goal)
    return Decision(
        choice.winner, choice.reason, "teacher", "verification", limits, goal, 0.95, 200,
        choice.candidates, None,
        tuple(NearMiss(one.name, one.excess, one.reason) for one in choice.near_misses),
        SPLIT, {},
    )  # fmt: skip


def told(decision, *, but=()):
    """What a choice says, of all variants but some."""
    judged = [
        (one.name, one.verdict, one.reason, one.excess, one.on_front)
        for one in decision.variants
        if one.name not in but
    ]
    return decision.winner, judged


@given(candidates(), budgets, goals)
def test_under_the_same_budgets_nothing_changes(variants, limits, goal):
    decision = decided(variants, limits, goal)
    again = choose_again(decision, limits, goal)
    assert replace(again, notes=()) == decision


@given(candidates(), budgets, goals, budgets, goals)
def test_other_budgets_give_what_they_would_have_given(variants, limits, goal, others, other_goal):
    again = choose_again(decided(variants, limits, goal), others, other_goal)
    # Why a drop is unknown is not kept where something else decided against the variant.
    unknown = {one.name for one in variants if one.drop is None and one.verdict != "failed"}
    assert told(again, but=unknown) == told(decided(variants, others, other_goal), but=unknown)


def test_a_larger_budget_lets_another_win_and_says_so():
    decision = decided(
        [
            measured("teacher", candidate=False, size_bytes=900_000),
            measured("good", size_bytes=60_000, drop=Interval(0.001, 0, 0.002)),
            measured("small", size_bytes=9_000, drop=Interval(0.01, 0.008, 0.012)),
        ],
        Budgets("auc", drop=0.005),
        "size",
    )
    assert decision.winner == "good"
    again = choose_again(decision, Budgets("auc", drop=0.02), "size")
    assert again.winner == "small"
    assert again.reason == (
        "small is the smallest of the 2 of 2 candidates that keep every budget: 9,000 bytes"
    )
    none = choose_again(decision, Budgets("auc", drop=0.0), "size")
    assert none.winner is None
    assert [miss.name for miss in none.near_misses] == ["good", "small"]


def test_what_a_control_is_there_for_stays_said():
    control = measured("control", candidate=False, reason="the control of small")
    teacher = measured("teacher", candidate=False)
    decision = decided([teacher, control], Budgets("auc", drop=0.005), "size")
    again = choose_again(decision, Budgets("auc", drop=0.5), "size")
    assert again.variant("control").reason == "the control of small"
