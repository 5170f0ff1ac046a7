"""Group results: how a model did on the images of one group (a site, a camera, an alphabet)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from components.statistics.bootstrap import Interval


@dataclass(frozen=True)
class GroupResult:
    """One group of a split.

    Attributes:
        n_images: Images of the group in the split.
        n_identities: Identities, or classes, among them.
        metrics: By name, with intervals that are resampled within the group.
        unmeasured: By name of each other metric, why it cannot be measured in the group.
    """

    n_images: int
    n_identities: int
    metrics: Mapping[str, Interval]
    unmeasured: Mapping[str, str]
