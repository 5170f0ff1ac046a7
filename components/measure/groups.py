"""Groups: every metric of a model on the images of each group of a split, with its interval."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from components.artifacts.dataset import Dataset
from components.artifacts.group_result import GroupResult
from components.artifacts.grouping import NO_GROUP
from components.statistics.groups import too_few_impostors, too_small
from components.statistics.metrics import estimate, sample_of
from components.statistics.resampling import Resampling

_ELSEWHERE = "it is not measured within groups"


@dataclass(frozen=True)
class GroupedResults:
    """What a split says of its groups.

    Attributes:
        groups: By name; empty where the dataset has no groups.
        ungrouped: Images that belong to none of them.
    """

    groups: dict[str, GroupResult] = field(default_factory=dict[str, GroupResult])
    ungrouped: int = 0


def by_group(
    data: Dataset,
    split: str,
    outputs_nd: NDArray[np.float32],
    metrics: Collection[str],
    *,
    threshold: float | None,
    resampling: Resampling,
) -> GroupedResults:
    """Measure a model on each group of a split.

    Pairs are those within a group; what is resampled, how often and from which seed is as on the
    whole split. A group that is too small for a metric is there with the reason. So is a group
    without any image in the split, unless whole groups went to the splits.

    Args:
        data: Holds the split.
        split: What was answered.
        outputs_nd: The answers, n x d.
        metrics: Names of those that were measured on the whole split.
        threshold: Verification: where accuracy is read, the same in every group.
        resampling: How intervals are made.
    """
    of_image = data.groups(split)
    if of_image is None:
        return GroupedResults()
    labels = data.labels(split)
    found: dict[str, GroupResult] = {}
    for place, name in enumerate(data.info.groups):
        chosen = of_image == place
        if chosen.any() or data.info.split_by != "group":
            found[name] = _result(
                data, outputs_nd[chosen], labels[chosen], metrics, threshold, resampling
            )
    return GroupedResults(found, int(np.count_nonzero(of_image == NO_GROUP)))


def _result(
    data: Dataset,
    outputs_nd: NDArray[np.float32],
    labels: NDArray[np.int32],
    metrics: Collection[str],
    threshold: float | None,
    resampling: Resampling,
) -> GroupResult:
    info = data.info
    identities = np.unique(labels).size
    if reason := too_small(info.task, labels, info.resample):
        return GroupResult(len(labels), identities, {}, dict.fromkeys(sorted(metrics), reason))
    sample = sample_of(info.task, outputs_nd, labels, resample=info.resample, threshold=threshold)
    draws = sample.draw(resampling.resamples, resampling.seed)
    measured = {
        name: item.interval(resampling.confidence)
        for name, item in estimate(sample, draws).items()
        if name in metrics
    }
    unmeasured = dict.fromkeys(sorted(set(metrics) - measured.keys()), _ELSEWHERE)
    few = too_few_impostors(labels) if "tar" in measured else None
    if few:
        del measured["tar"]
        unmeasured["tar"] = few
    return GroupResult(len(labels), identities, measured, unmeasured)
