from dataclasses import replace

import numpy as np
import pytest

from components.contract.errors import UserError
from components.measure.paired import Answers, Reference
from components.statistics.resampling import Resampling
from tests.data.variants import Variant, write_evaluation


def answers(path, variant, task="verification"):
    write_evaluation(path, variant, task=task)
    return Answers.read(path)


def reference_of(reference, metric="auc"):
    return Reference.of(reference, metric, Resampling(resamples=300))


def test_a_model_does_not_drop_against_itself(tmp_path):
    reference = answers(tmp_path / "a", Variant("a", noise=0.7))
    drop = reference_of(reference).drop_of(reference)
    assert (drop.value, drop.low, drop.high) == (0, 0, 0)


def test_a_worse_model_drops_and_a_better_one_gains(tmp_path):
    reference = answers(tmp_path / "a", Variant("a", noise=0.8))
    worse = answers(tmp_path / "b", Variant("b", noise=1.4))
    better = answers(tmp_path / "c", Variant("c", noise=0.4))
    measured = reference_of(reference)
    assert 0 < measured.drop_of(worse).low < measured.drop_of(worse).value
    assert measured.drop_of(better).high < 0


def test_more_errors_are_a_drop_as_well(tmp_path):
    reference = answers(tmp_path / "a", Variant("a", noise=0.8))
    worse = answers(tmp_path / "b", Variant("b", noise=1.4))
    assert reference_of(reference, "eer").drop_of(worse).low > 0


def test_the_drop_is_paired(tmp_path):
    # Nearly the same answers: their intervals are wide, their difference is known exactly.
    reference = answers(tmp_path / "a", Variant("a", noise=0.8))
    twin = answers(tmp_path / "b", Variant("b", noise=0.801))
    metric = reference.evaluation.metrics["auc"]
    drop = reference_of(reference).drop_of(twin)
    assert drop.high - drop.low < (metric.high - metric.low) / 10


def test_other_images_cannot_be_compared(tmp_path):
    reference = answers(tmp_path / "a", Variant("a"))
    other = answers(tmp_path / "b", Variant("b"))
    shuffled = replace(other, labels_n=other.labels_n[::-1])
    with pytest.raises(ValueError, match="same images"):
        reference_of(reference).drop_of(shuffled)


def test_a_metric_of_another_task_is_refused_with_the_valid_ones(tmp_path):
    reference = answers(tmp_path / "a", Variant("a"), task="classification")
    with pytest.raises(UserError, match="no metric 'auc'") as caught:
        reference_of(reference)
    assert "accuracy, macro_f1" in caught.value.fix


@pytest.mark.parametrize("task", ["verification", "classification"])
def test_constant_answers_are_useless_and_others_are_not(tmp_path, task):
    constant = answers(tmp_path / "a", Variant("a", constant=True), task=task)
    alive = answers(tmp_path / "b", Variant("b", noise=5.0), task=task)
    assert constant.useless == "answers the same to every image"
    assert alive.useless is None


@pytest.mark.parametrize("lengths", ["equal", "different"])
def test_an_embedding_that_only_changes_its_length_is_useless(tmp_path, lengths):
    constant = answers(tmp_path / "a", Variant("a", constant=True))
    count = len(constant.labels_n)
    scale = np.linspace(1, 3, count) if lengths == "different" else np.ones(count)
    stretched = replace(constant, outputs_nd=constant.outputs_nd * scale[:, None])
    assert stretched.useless
    assert replace(constant, outputs_nd=constant.outputs_nd * 0).useless
