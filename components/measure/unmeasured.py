"""Unmeasured: which metrics a split cannot give, whatever model answers, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from components.contract.errors import UserError
from components.contract.types import Task
from components.statistics.one_shot import Trials
from components.statistics.verification import IMPOSTORS_LEAST, impostor_pairs

_FIXES: Final[Mapping[str, str]] = {
    "accuracy": "give more images to validation under split:, or set budgets: {metric: auc}",
    "tar_1e3": "set budgets: {metric: tar}, or let more images judge: under split: raise the share "
    "of the split, and evaluation_images",
    "one_shot": "set evaluate: {ways: N} to no more ways than there are identities, or budgets: "
    "{metric: auc}",
}


def unmeasured(
    task: Task,
    labels: NDArray[np.integer],
    threshold: float | None,
    trials: Trials | str | None,
) -> dict[str, str]:
    """Return the metrics of a task that do not exist on a split, each with the reason.

    Args:
        task: Classification has all of its metrics on every split.
        labels: Of the split.
        threshold: Where accuracy is read.
        trials: Of one shot, or why there are none.
    """
    if task != "verification":
        return {}
    found: dict[str, str] = {}
    if threshold is None:
        found["accuracy"] = "no threshold could be chosen: there are no validation pairs"
    pairs = impostor_pairs(labels)
    if pairs < IMPOSTORS_LEAST:
        found["tar_1e3"] = f"{IMPOSTORS_LEAST:,} impostor pairs are needed, and there are {pairs:,}"
    if isinstance(trials, str):
        found["one_shot"] = trials
    return found


def check_measured(metric: str, split: str, missing: Mapping[str, str]) -> None:
    """Refuse a metric that does not exist on a split.

    Args:
        metric: What is to be compared.
        split: On which split.
        missing: What ``unmeasured`` gave for it.

    Raises:
        UserError: It is one of those.
    """
    if metric in missing:
        raise UserError(f"the {split} split gives no {metric}: {missing[metric]}", _FIXES[metric])
