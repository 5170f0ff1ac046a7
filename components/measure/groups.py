"""Groups: every metric of a model on the images of each group of a split, with its interval."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from components.artifacts.dataset import Dataset
from components.artifacts.group_result import GroupResult
from components.artifacts.grouping import NO_GROUP
from components.measure.unmeasured import unmeasured
from components.statistics.groups import too_few_impostors, too_small
from components.statistics.metrics import estimate, sample_of
from components.statistics.one_shot import Trials
from components.statistics.resampling import Resampling

_UNASKED = "no one-shot trial is about it: it has too few identities, or none of them two images"


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
    trials: Trials | None = None,
) -> GroupedResults:
    """Measure a model on each group of a split.

    Pairs are those within a group, one-shot trials those of the whole split that are about its
    images; what is resampled, how often and from which seed is as on the
    whole split. A group that is too small for a metric is there with the reason. So is a group
    without any image in the split, unless whole groups went to the splits.

    Args:
        data: Holds the split.
        split: What was answered.
        outputs_nd: The answers, n x d.
        metrics: Names of those that were measured on the whole split.
        threshold: Verification: where accuracy is read, the same in every group.
        resampling: How intervals are made.
        trials: One-shot trials of the whole split, each within one group.
    """
    of_image = data.groups(split)
    if of_image is None:
        return GroupedResults()
    labels = data.labels(split)
    found: dict[str, GroupResult] = {}
    for place, name in enumerate(data.info.groups):
        chosen = of_image == place
        if chosen.any() or data.info.split_by != "group":
            asked = trials and trials.within(chosen)
            found[name] = _result(
                data, outputs_nd[chosen], labels[chosen], metrics, threshold, resampling, asked
            )
    return GroupedResults(found, int(np.count_nonzero(of_image == NO_GROUP)))


def _result(
    data: Dataset,
    outputs_nd: NDArray[np.float32],
    labels: NDArray[np.int32],
    metrics: Collection[str],
    threshold: float | None,
    resampling: Resampling,
    trials: Trials | None,
) -> GroupResult:
    info = data.info
    identities = np.unique(labels).size
    if reason := too_small(info.task, labels, info.resample):
        return GroupResult(len(labels), identities, {}, dict.fromkeys(sorted(metrics), reason))
    sample = sample_of(
        info.task,
        outputs_nd,
        labels,
        resample=info.resample,
        threshold=threshold,
        trials=trials,
    )
    draws = sample.draw(resampling.resamples, resampling.seed)
    measured = {
        name: item.interval(resampling.confidence)
        for name, item in estimate(sample, draws).items()
        if name in metrics
    }
    why = unmeasured(info.task, labels, threshold, trials or _UNASKED)
    missing = {name: why[name] for name in sorted(set(metrics) - measured.keys())}
    few = too_few_impostors(labels) if "tar" in measured else None
    if few:
        del measured["tar"]
        missing["tar"] = few
    return GroupResult(len(labels), identities, measured, missing)
