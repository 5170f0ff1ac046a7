"""What is said of a winner that loses too much on the sealed images, and that its edit works."""

import re

import pytest

from components.artifacts.decision import Decision
from components.selection.sealed_step import sealed_next_step
from components.statistics.bootstrap import Interval
from tests.components.test_select import STUDENT, TEACHER, TINY, run

QUIET = {"latency_ms": None, "size_mb": None}


def decided(root, variants, **changes):
    return Decision.read(run(root, variants, **{**QUIET, **changes}) / "decision")


@pytest.fixture(scope="module")
def decision(tmp_path_factory):
    made = decided(tmp_path_factory.mktemp("sealed"), [TEACHER, STUDENT, TINY], drop=0.05)
    assert made.winner == "tiny"
    return made


def test_more_sealed_images_are_asked_for_only_where_the_drop_keeps(decision):
    found = sealed_next_step(Interval(0.025, 0.0, 0.075), decision, 100, "images")
    assert "about 400 sealed images" in found
    found = sealed_next_step(Interval(0.06, 0.0, 0.2), decision, 100, "images")
    assert "more of them would not change" in found
    assert "Raise sealed" not in found
    assert sealed_next_step(None, decision, 100, "images") is None
    assert sealed_next_step(Interval(0.01, 0.0, 0.03), decision, 100, "images") is None


def test_that_the_images_that_chose_told_too_little_is_said_where_it_is_so(decision):
    chosen = decision.variant("tiny").drop
    apart = Interval(0.3, chosen.high + 0.01, 0.4)
    assert "let more identities choose" in sealed_next_step(apart, decision, 9, "identities")
    joined = Interval(0.3, chosen.low, 0.4)
    assert "choose (selection" not in sealed_next_step(joined, decision, 9, "identities")


def test_who_lost_less_is_chosen_by_the_drop_that_is_named(decision, tmp_path):
    found = sealed_next_step(Interval(0.3, 0.2, 0.4), decision, 9, "identities")
    name, drop = re.search(r"\. (\w+) lost less .* and drop: ([\d.e-]+) under", found).groups()
    assert name == "student"
    after = decided(tmp_path / "after", [TEACHER, STUDENT, TINY], drop=float(drop))
    assert after.winner == name


def test_where_nobody_lost_less_nobody_is_named(tmp_path):
    alone = decided(tmp_path, [TEACHER, TINY], drop=0.05)
    assert "lost less" not in sealed_next_step(Interval(0.3, 0.2, 0.4), alone, 9, "identities")
