"""Which channels go: the least important ones of every group, until a target is met.

Shapes: u units (see ``graphs/channels.py``), g units of one group.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from components.ml.graphs.channels import Channels, Group

Scores: TypeAlias = Mapping[int, np.ndarray]
"""Importance of the units of each group, by the group's place; groups that are missing stay."""


@dataclass(frozen=True, eq=False)
class _Removal:
    """Units of one group that are removed at once, so that a good width is left.

    Attributes:
        score: Mean importance, against the mean of their group.
        place: Of the group.
        units: What is removed.
    """

    score: float
    place: int
    units: np.ndarray


def selected(
    channels: Channels,
    scores: Scores,
    multiple_of: int,
    met: Callable[[np.ndarray], bool],
) -> np.ndarray:
    """Return which units are kept: as many as still meet the target.

    Args:
        channels: Of the network.
        scores: Importance; normalized here within each group, so that groups can be compared.
        multiple_of: Widths that are left are multiples of it.
        met: Whether a choice ``keep_u`` meets the target; true of a choice that keeps less where
            it is of one that keeps more.

    Returns:
        One truth value a unit. All that may go is gone where the target cannot be met.
    """
    parts = [
        part
        for place, scores_g in scores.items()
        for part in _parts(place, channels.groups[place], scores_g, multiple_of)
    ]
    parts.sort(key=lambda part: (part.score, part.place))

    def kept(count: int) -> np.ndarray:
        keep_u = np.ones(channels.units, bool)
        for part in parts[:count]:
            keep_u[part.units] = False
        return keep_u

    low, high = 0, len(parts)
    while low < high:
        middle = (low + high) // 2
        if met(kept(middle)):
            high = middle
        else:
            low = middle + 1
    return kept(low)


def least(channels: Channels, places: Sequence[int], multiple_of: int) -> np.ndarray:
    """Return ``keep_u`` with every group as narrow as it may become, whichever units these are."""
    scores = {place: np.zeros(len(channels.groups[place].units_u)) for place in places}
    return selected(channels, scores, multiple_of, lambda _: False)


def widths(units: int, channels_per_unit: int, multiple_of: int) -> list[int]:
    """Return how many units of a group may be left, most first.

    Args:
        units: All there are.
        channels_per_unit: Channels of a layer that each stands for.
        multiple_of: Of channels; all of them may always be left.
    """
    step = multiple_of // math.gcd(multiple_of, channels_per_unit)
    return [units, *range((units - 1) // step * step, 0, -step)]


def _parts(place: int, group: Group, scores_g: np.ndarray, multiple_of: int) -> list[_Removal]:
    """Return what is removed of a group, least important first."""
    mean = float(scores_g.mean())
    normalized_g = scores_g / mean if mean > 0 else scores_g
    order_g = np.argsort(normalized_g, kind="stable")
    allowed = widths(len(order_g), group.channels_per_unit, multiple_of)
    parts: list[_Removal] = []
    for wide, narrow in pairwise(allowed):
        gone = order_g[len(order_g) - wide : len(order_g) - narrow]
        parts.append(_Removal(float(normalized_g[gone].mean()), place, group.units_u[gone]))
    return parts
