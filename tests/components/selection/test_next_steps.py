"""What to try when nothing wins: every sentence rests on something measured, and its edit works."""

import math
import re
from dataclasses import replace

import pytest

from components.artifacts.decision import Decision
from components.selection.next_steps import images_needed, rise_at_end
from components.statistics.bootstrap import Interval
from tests.components.test_select import STUDENT, TEACHER, TINY, run
from tests.data.makings import making, rising, settled
from tests.data.variants import Variant

QUIET = {"latency_ms": None, "size_mb": None}
TRAIN = {"component": "train", "backbone": "conv"}
WORSE = Variant("worse", noise=0.7, size_bytes=60_000, steps=(TRAIN,))


def decided(root, variants, **changes):
    return Decision.read(run(root, variants, **{**QUIET, **changes}) / "decision")


def one(steps, begin):
    (found,) = [step for step in steps if step.startswith(begin)]
    return found


def test_a_winner_leaves_nothing_to_try(tmp_path):
    assert decided(tmp_path, [TEACHER, STUDENT]).next_steps == ()


@pytest.mark.parametrize(
    ("budget", "key", "changes"),
    [
        ("drop", "drop", {"drop": 0.0001}),
        ("size", "size_mb", {"drop": 0.5, "size_mb": 0.019}),
        ("latency", "latency_ms", {"drop": 0.5, "latency_ms": 0.1}),
    ],
)
def test_the_budget_that_binds_is_named_with_an_edit_that_works(tmp_path, budget, key, changes):
    board = [TEACHER, STUDENT, TINY]
    found = one(decided(tmp_path / "no", board, **changes).next_steps, f"{budget} binds")
    assert "all 2 candidates miss it" in found
    said = re.search(rf"(\w+) misses nothing else: .* with {key}: ([\d.]+) ", found)
    name, given = said.groups()
    after = decided(tmp_path / "yes", board, **{**changes, key: float(given)})
    assert after.variant(name).verdict in ("winner", "kept")


def test_two_budgets_that_bind_at_once_promise_no_winner(tmp_path):
    steps = decided(tmp_path, [TEACHER, TINY], drop=0.0001, size_mb=0.019).next_steps
    assert one(steps, "drop binds")
    assert one(steps, "size binds")
    assert not any("misses nothing else" in step for step in steps)


def test_what_some_miss_and_others_keep_does_not_bind(tmp_path):
    """All are too large; one of them also drops too much, which a looser drop would not help."""
    decision = decided(tmp_path, [TEACHER, STUDENT, WORSE], drop=0.05, size_mb=0.001)
    assert "drop" in decision.variant("worse").reason
    assert "drop" not in decision.variant("student").reason
    assert one(decision.next_steps, "size binds: all 2 candidates miss it")
    assert not [step for step in decision.next_steps if step.startswith("drop binds")]
    improving = replace(WORSE, making=making(60_000, curves=(rising(12),)))
    steps = decided(tmp_path / "curve", [TEACHER, STUDENT, improving], drop=0.05, size_mb=0.001)
    assert not [step for step in steps.next_steps if "training" in step or "capacity" in step]


def test_the_budget_that_is_enough_to_loosen_comes_before_those_that_more_miss(tmp_path):
    """Everybody is too slow, and one is too large beside it: slower alone would do."""
    steps = decided(tmp_path, [TEACHER, STUDENT, TINY], drop=0.5, size_mb=0.03, latency_ms=0.1)
    found = [step.split(":")[0] for step in steps.next_steps if " binds" in step]
    assert found == ["latency binds"]
    assert "tiny misses nothing else" in one(steps.next_steps, "latency binds")


def test_how_many_images_would_prove_a_drop():
    assert images_needed(Interval(0.01, 0.0, 0.03), 0.02, 100) == 400
    assert images_needed(Interval(0.02, 0.0, 0.03), 0.02, 100) is None  # at the budget itself
    assert images_needed(Interval(0.01, 0.0, 0.02), 0.02, 100) is None  # proven already
    many = images_needed(Interval(0.0199, 0.01, 0.03), 0.02, 100)
    assert many == math.ceil(100 * (0.0101 / 0.0001) ** 2) or abs(many - 1_020_100) < 2


def test_more_images_are_advised_only_where_they_can_help(tmp_path):
    decision = decided(tmp_path, [TEACHER, WORSE], drop=0.05)
    drop = decision.variant("worse").drop
    limit = (drop.value + drop.high) / 2  # the drop keeps it, its interval does not
    near = decided(tmp_path / "near", [TEACHER, WORSE], drop=limit)
    found = one(near.next_steps, "more selection identities")
    assert "About 48 identities would prove it" in found  # half the width: four times twelve
    beyond = decided(tmp_path / "beyond", [TEACHER, WORSE], drop=drop.value / 2)
    assert not any(step.startswith("more selection") for step in beyond.next_steps)


def test_a_training_that_was_still_improving_is_to_be_longer(tmp_path):
    improving = replace(WORSE, making=making(60_000, curves=(rising(12),)))
    steps = decided(tmp_path, [TEACHER, improving], drop=0.0001).next_steps
    assert "epochs: 24 in place of 12" in one(steps, "longer training: the step train of worse")
    assert "augment: light" in one(steps, "no augmentation")
    plain = replace(WORSE, making=making(60_000, curves=(rising(12, augment="none"),)))
    steps = decided(tmp_path / "plain", [TEACHER, plain], drop=0.0001).next_steps
    assert not any(step.startswith("no augmentation") for step in steps)


FLAT_TO_THE_END = replace(settled(12), kept=12)
UNVALIDATED = replace(
    settled(12), kept=12,
    points=tuple(replace(point, validation=None) for point in settled(12).points),
)  # fmt: skip


@pytest.mark.parametrize(
    ("curve", "evidence"),
    [
        (None, None),
        (settled(12), "epoch 3 of 12 was the best"),
        (FLAT_TO_THE_END, "validation gained 0.000 in the last quarter of its epochs"),
        (UNVALIDATED, None),
    ],
)
def test_that_a_training_settled_is_said_with_what_shows_it(tmp_path, curve, evidence):
    made = curve and making(60_000, curves=(curve,))
    steps = decided(tmp_path, [TEACHER, replace(WORSE, making=made)], drop=0.0001).next_steps
    assert not any(step.startswith("longer training") for step in steps)
    found = [step for step in steps if step.startswith("more capacity")]
    assert [evidence] == [evidence for step in found if evidence in step] if evidence else not found


def test_a_training_is_not_blamed_for_bytes(tmp_path):
    improving = replace(WORSE, making=making(60_000, curves=(rising(12),)))
    steps = decided(tmp_path, [TEACHER, improving], drop=0.9, size_mb=0.03).next_steps
    assert not any("training" in step for step in steps)
    found = one(steps, "a smaller file")
    assert "remove: 0.5" in found
    assert "quantize: {scheme: int8}" in found


@pytest.mark.parametrize(
    ("begin", "changes"),
    [("a smaller file", {"size_mb": 0.0005}), ("less work", {"latency_ms": 0.01})],
)
def test_a_budget_that_no_pruning_can_reach_is_no_advice_to_prune(tmp_path, begin, changes):
    """A hundredth of the bytes, a twentieth of the time and less: nothing is cut so far."""
    steps = decided(tmp_path, [TEACHER, replace(WORSE, p50_ms=2.0)], drop=0.9, **changes).next_steps
    assert "No pruning takes so much away" in one(steps, begin)
    assert "remove:" not in one(steps, begin)
    near = {key: 20 * value for key, value in {"size_mb": 0.0025, "latency_ms": 0.09}.items()
            if key in changes}  # fmt: skip
    steps = decided(tmp_path / "near", [TEACHER, replace(WORSE, p50_ms=2.0)], drop=0.9, **near)
    assert "remove:" in one(steps.next_steps, begin)


def test_the_rise_is_that_of_the_last_quarter():
    assert rise_at_end(settled(12)) == 0
    assert rise_at_end(rising(12)) == pytest.approx(0.9 * (0.5 / 9 - 0.5 / 12))
    assert rise_at_end(rising(1)) is None
