"""Whether the sealed images qualify a release, and the sentences that say why."""

from dataclasses import replace

import pytest

from components.artifacts.budgets import Budgets
from components.artifacts.group_result import GroupResult
from components.measure.paired import read_evaluated
from components.selection.sealed import SealedResult, qualification
from components.statistics.bootstrap import Interval
from components.statistics.resampling import Resampling
from tests.data.variants import Variant, write_evaluation

LIMITS = Budgets("auc", 0.05)
TEACHER = Variant("teacher", noise=0.5)


def sealed(root, winner, reference=TEACHER):
    reports = []
    for variant in (winner, reference):
        write_evaluation(root / variant.name, variant, split="sealed")
        reports.append(read_evaluated(root / variant.name))
    return SealedResult.of(*reports, metric="auc", resampling=Resampling(resamples=100))


@pytest.mark.parametrize(
    ("winner", "qualified", "reason"),
    [
        (Variant("small", noise=0.52), True, "the sealed images confirm it: drop "),
        (Variant("small", noise=2.0), False, "on the sealed images: drop "),
        (Variant("small", constant=True), False, "the sealed images: answers the same to every"),
        (Variant("small", crashed=11), False, "the sealed images: crashed while it was evaluated"),
    ],
)
def test_the_upper_end_of_the_drop_decides(tmp_path, winner, qualified, reason):
    result = sealed(tmp_path, winner)
    outcome, (sentence, *_) = qualification(result, LIMITS)
    assert outcome is qualified
    assert sentence.startswith(reason)
    assert (result.drop is None) == (winner.crashed is not None)


def test_without_the_reference_the_drop_is_unknown(tmp_path):
    result = sealed(tmp_path, Variant("small"), Variant("teacher", crashed=9))
    assert qualification(result, LIMITS) == (
        False,
        ("the reference gave no answers on the sealed images: the drop is unknown",),
    )


def test_floors_hold_on_the_sealed_images_too(tmp_path):
    result = sealed(tmp_path, Variant("small", noise=0.52))
    held = replace(LIMITS, at_least={"auc": 0.8})
    outcome, (sentence,) = qualification(result, held)
    assert outcome
    assert sentence.endswith(" keeps to 0.050, and every floor holds")
    outcome, (sentence,) = qualification(result, replace(LIMITS, at_least={"auc": 1.0}))
    assert not outcome
    assert sentence.startswith("on the sealed images: ROC-AUC 0.")
    assert sentence.endswith("below 1.000")
    outcome, (sentence,) = qualification(result, replace(held, per="group"))
    assert (outcome, "tells of no groups" in sentence) == (False, True)


def test_floors_hold_for_each_group_of_the_sealed_images(tmp_path):
    result = sealed(tmp_path, Variant("small", noise=0.52))
    good, bad = Interval(0.95, 0.9, 1.0), Interval(0.6, 0.5, 0.7)
    groups = {"Oslo": GroupResult(9, 6, {"auc": good}, {})}
    held = replace(LIMITS, at_least={"auc": 0.8}, per="group")
    assert qualification(replace(result, winner=replace(result.winner, groups=groups)), held)[0]
    groups["Rome"] = GroupResult(9, 6, {"auc": bad}, {})
    outcome, (sentence,) = qualification(
        replace(result, winner=replace(result.winner, groups=groups)), held
    )
    assert not outcome
    assert "ROC-AUC of the group 'Rome' 0.600 (0.500 to 0.700) is below 0.800" in sentence
    groups["Rome"] = GroupResult(2, 1, {}, {"auc": "1 identity in 2 images: no pair"})
    outcome, (sentence,) = qualification(
        replace(result, winner=replace(result.winner, groups=groups)), held
    )
    assert not outcome
    assert "cannot be measured for the group 'Rome' (1 identity" in sentence


@pytest.mark.parametrize("where", ["sealed", "selection"])
def test_what_the_trivial_answer_may_equal_does_not_qualify(tmp_path, where):
    level = Interval(0.01, -0.02, 0.04)
    result = sealed(tmp_path, Variant("small", noise=0.52))
    if where == "sealed":
        baseline = replace(result.winner.baseline, lead={"auc": level})
        result = replace(result, winner=replace(result.winner, baseline=baseline))
    outcome, (sentence,) = qualification(result, LIMITS, level if where == "selection" else None)
    assert not outcome
    assert sentence == (
        f"on the {where} images: not certainly better than raw-pixel cosine, ahead by "
        "0.010 (-0.020 to 0.040)"
    )


def test_every_reason_is_told(tmp_path):
    result = sealed(tmp_path, Variant("small", noise=2.0))
    _, reasons = qualification(
        result, replace(LIMITS, at_least={"auc": 1.0}), Interval(0.01, -0.02, 0.04)
    )
    drop, floor, *leads = reasons
    assert drop.startswith("on the sealed images: drop ")
    assert floor.startswith("on the sealed images: ROC-AUC 0.")
    assert leads[-1].startswith("on the selection images: not certainly better than")
