"""Whether the sealed images let a release be promoted, and the sentence that says why."""

import pytest

from components.artifacts.budgets import Budgets
from components.measure.paired import read_evaluated
from components.selection.sealed import SealedResult, promotion
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
    ("winner", "promoted", "reason"),
    [
        (Variant("small", noise=0.52), True, "the sealed images confirm it: drop "),
        (Variant("small", noise=2.0), False, "on the sealed images: drop "),
        (Variant("small", constant=True), False, "the sealed images: answers the same to every"),
        (Variant("small", crashed=11), False, "the sealed images: crashed while it was evaluated"),
    ],
)
def test_the_upper_end_of_the_drop_decides(tmp_path, winner, promoted, reason):
    result = sealed(tmp_path, winner)
    outcome, sentence = promotion(result, LIMITS)
    assert outcome is promoted
    assert sentence.startswith(reason)
    assert (result.drop is None) == (winner.crashed is not None)


def test_without_the_reference_the_drop_is_unknown(tmp_path):
    result = sealed(tmp_path, Variant("small"), Variant("teacher", crashed=9))
    assert promotion(result, LIMITS) == (
        False,
        "the reference gave no answers on the sealed images: the drop is unknown",
    )
