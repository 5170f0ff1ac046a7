"""One-shot trials of a split: drawn once by evaluate, and again, equal, by whoever compares."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from components.artifacts.dataset import Dataset
from components.statistics.one_shot import OneShotTask, Trials, draw_trials
from components.statistics.one_shot_plan import OneShotPlan


def trials_on(data: Dataset, split: str, plan: OneShotPlan, seed: int) -> Trials | str | None:
    """Return the trials of a split, or why there are none; None where they have no meaning.

    Args:
        data: Holds the split.
        split: Whose images are asked about.
        plan: How many ways and trials.
        seed: Decides which.
    """
    if data.info.task != "verification":
        return None
    return draw_trials(
        data.labels(split), data.groups(split), plan, seed=seed, group_names=data.info.groups
    )


def drawn_again(
    task: OneShotTask | None, labels: NDArray[np.integer], groups: NDArray[np.integer] | None
) -> Trials | None:
    """Return the trials that a report tells of.

    Args:
        task: What it says of them; None where there are none.
        labels: Of its images.
        groups: Of its images; None where there are none.
    """
    if task is None:
        return None
    plan = OneShotPlan(ways=task.ways, trials=task.trials)
    drawn = draw_trials(labels, groups, plan, seed=task.seed)
    assert isinstance(drawn, Trials), "there were trials when the report was written"
    return drawn
