"""Accuracy over folds against a search over every threshold."""

from __future__ import annotations

import numpy as np
import pytest

from components.statistics.fold_accuracy import best_threshold, fold_accuracy


def test_every_fold_is_judged_by_the_threshold_of_the_others() -> None:
    random = np.random.default_rng(0)
    same = np.tile([True, False], 60)
    scores = np.round(0.5 * same + random.normal(0, 0.4, 120), 2)
    folds = np.repeat(np.arange(10), 12)
    found = fold_accuracy(scores, same, folds)
    assert found is not None
    for fold in range(10):
        others = folds != fold
        rights = {
            cut: np.mean((scores[others] >= cut) == same[others])
            for cut in np.arange(-2.005, 3, 0.01)
        }
        cut = found.thresholds[fold]
        assert np.mean((scores[others] >= cut) == same[others]) == max(rights.values())
        here = folds == fold
        assert found.accuracies[fold] == np.mean((scores[here] >= cut) == same[here])
    assert found.accuracy == pytest.approx(np.mean(found.accuracies))
    spread = np.sqrt(np.sum((np.array(found.accuracies) - found.accuracy) ** 2) / 9)
    assert found.standard_error == pytest.approx(spread / np.sqrt(10))


def test_one_fold_takes_the_threshold_that_is_given() -> None:
    scores, same = np.array([0.9, 0.4, 0.5, 0.1]), np.array([True, True, False, False])
    found = fold_accuracy(scores, same, np.zeros(4, int), threshold=0.3)
    assert found is not None
    assert (found.accuracy, found.standard_error) == (0.75, None)
    assert fold_accuracy(scores, same, np.zeros(4, int)) is None


def test_of_several_best_thresholds_the_middle_one_is_taken() -> None:
    assert best_threshold(np.array([0.2, 0.4, 0.6, 0.8]), np.array([0, 0, 1, 1], bool)) == 0.5
    flat = np.array([0.5, 0.5])
    assert best_threshold(flat, np.array([True, False])) in (-0.5, 1.5)
