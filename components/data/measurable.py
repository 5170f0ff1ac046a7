"""Measurable: whether the images that judge can give the metric of the budget at all.

It follows from labels and groups alone, so it is known before anything is trained.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from components.artifacts.dataset import SEALED
from components.artifacts.grouping import NO_GROUP, Grouping
from components.contract.errors import UserError
from components.data.settings import CurationPlan
from components.statistics.one_shot import draw_trials
from components.statistics.one_shot_plan import OneShotPlan
from components.statistics.verification import IMPOSTORS_LEAST, impostor_pairs

_COMPARED = "selection"
_LEAST_WAYS = 2


def check_measurable(
    labels: Mapping[str, NDArray[np.integer]], groups: Grouping, plan: CurationPlan
) -> list[str]:
    """Refuse data whose selection split cannot give the metric of the budget.

    Args:
        labels: Of every split.
        groups: Of every split; a one-shot trial does not leave a group.
        plan: Says what the metric needs.

    Returns:
        Warnings: the sealed split cannot give it, so that no release can qualify.

    Raises:
        UserError: The selection split cannot give it.
    """
    warnings: list[str] = []
    for split in (_COMPARED, SEALED):
        of_image = groups.rows[split] if groups.names else None
        for metric, reason, fix in _lacking(labels[split], of_image, groups, plan):
            if split == _COMPARED:
                raise UserError(f"the {split} split gives no {metric}: {reason}", fix)
            warnings.append(
                f"the {split} split gives no {metric}: {reason}, so no release can qualify; {fix}"
            )
    return warnings


def _lacking(
    labels: NDArray[np.integer],
    of_image: NDArray[np.integer] | None,
    groups: Grouping,
    plan: CurationPlan,
) -> list[tuple[str, str, str]]:
    """Return what is asked for and cannot be had, why, and what to do."""
    found: list[tuple[str, str, str]] = []
    pairs = impostor_pairs(labels)
    if plan.impostors_needed and pairs < IMPOSTORS_LEAST:
        reason = f"{IMPOSTORS_LEAST:,} impostor pairs are needed, and there are {pairs:,}"
        fix = "set budgets: {metric: tar}, which fewer pairs can give, or add images of more people"
        found.append(("tar_1e3", reason, fix))
    if plan.ways_needed:
        reason = _no_trials(labels, of_image, groups, plan.ways_needed)
        if reason:
            found.append(("one_shot", reason, _fewer_ways(labels, of_image, groups)))
    return found


def _no_trials(
    labels: NDArray[np.integer],
    of_image: NDArray[np.integer] | None,
    groups: Grouping,
    ways: int,
) -> str:
    """Say why there is no trial of so many ways; nothing where there is one."""
    drawn = draw_trials(
        labels, of_image, OneShotPlan(ways=ways, trials=1), seed=0, group_names=groups.names
    )
    return drawn if isinstance(drawn, str) else ""


def _fewer_ways(
    labels: NDArray[np.integer], of_image: NDArray[np.integer] | None, groups: Grouping
) -> str:
    """Return the fix: as many ways as the data can give, or another metric."""
    cells = np.zeros(len(labels), np.int64) if of_image is None else of_image
    most = max(
        (np.unique(labels[cells == cell]).size for cell in np.unique(cells) if cell != NO_GROUP),
        default=0,
    )
    other = "set budgets: {metric: auc}"
    if most < _LEAST_WAYS or _no_trials(labels, of_image, groups, most):
        return other
    return f"set evaluate: {{ways: {most}}}, or {other.removeprefix('set ')}"
