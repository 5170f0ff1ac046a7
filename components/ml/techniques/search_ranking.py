"""Ranking: which of several architectures are the best in several respects at once.

References:
    Deb et al., A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II (2002): fronts and
    crowding. Jamieson and Talwalkar, arXiv:1502.07943: successive halving.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

KEPT_ONE_IN = 3
_KEPT_LEAST = 2

Objectives = tuple[float, ...]
"""What is to be small: the negative metric, latency, size."""


def fronts(objectives: Sequence[Objectives]) -> list[list[int]]:
    """Return the places of the non-dominated ones, then those of the rest, and so on."""
    left = list(range(len(objectives)))
    found: list[list[int]] = []
    while left:
        best = [
            place
            for place in left
            if not any(dominates(objectives[other], objectives[place]) for other in left)
        ]
        found.append(best)
        left = [place for place in left if place not in best]
    return found


def dominates(one: Objectives, other: Objectives) -> bool:
    """Whether one is nowhere worse than the other, and somewhere better."""
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


def survivors(objectives: Sequence[Objectives]) -> list[int]:
    """Return the places of the best third, at least two, in ascending order.

    Whole fronts first; of the front that does not fit, those that stand most alone, so that small
    and large ones, fast and accurate ones are left.
    """
    wanted = min(len(objectives), max(_KEPT_LEAST, math.ceil(len(objectives) / KEPT_ONE_IN)))
    kept: list[int] = []
    for front in fronts(objectives):
        room = wanted - len(kept)
        if len(front) <= room:
            kept += front
            continue
        alone = crowding([objectives[place] for place in front])
        order = sorted(range(len(front)), key=lambda at: (-alone[at], objectives[front[at]]))
        kept += [front[at] for at in order[:room]]
        break
    return sorted(kept)


def crowding(objectives: Sequence[Objectives]) -> list[float]:
    """Return for every one how far its neighbours on both sides are, infinite at the ends."""
    distances = [0.0] * len(objectives)
    for axis in range(len(objectives[0]) if objectives else 0):
        order = sorted(range(len(objectives)), key=lambda place: (objectives[place][axis], place))
        values = [objectives[place][axis] for place in order]
        span = values[-1] - values[0]
        if not span:
            continue
        distances[order[0]] = distances[order[-1]] = math.inf
        for at in range(1, len(order) - 1):
            distances[order[at]] += (values[at + 1] - values[at - 1]) / span
    return distances
