"""The rough number of judging images agrees with intervals that are really computed."""

from __future__ import annotations

import numpy as np
import pytest

from components.statistics.metrics import METRICS, drop, estimate, sample_of
from components.statistics.sample_size import SPREAD, units_needed


def test_every_metric_of_every_task_has_a_spread() -> None:
    assert set(SPREAD) == {(task, name) for name, m in METRICS.items() for task in m.tasks}


def test_a_drop_of_zero_cannot_be_proven() -> None:
    assert units_needed("classification", "accuracy", 0, 0.95) is None


@pytest.mark.parametrize("asked", [0.01, 0.02])
def test_the_number_proves_the_drop_and_half_of_it_does_not(asked: float) -> None:
    needed = units_needed("classification", "accuracy", asked, 0.95)
    assert needed

    def upper_end(count: int) -> float:
        """Of the drop between two classifiers that disagree on 5 of 100 and are equally good."""
        labels = np.arange(count) % 2
        right = np.ones((2, count), np.bool_)
        wrong = np.random.default_rng(0).permutation(count)[: round(0.05 * count)]
        right[0, wrong[::2]] = right[1, wrong[1::2]] = False
        samples = [
            sample_of("classification", np.eye(2)[np.where(r, labels, 1 - labels)], labels,
                      resample="image") for r in right
        ]  # fmt: skip
        draws = samples[0].draw(2000, seed=0)
        before, after = (estimate(sample, draws)["accuracy"] for sample in samples)
        return drop("accuracy", before, after).interval(0.95).high

    assert upper_end(needed) < 1.2 * asked
    assert upper_end(needed // 2) > asked
