"""How many images must judge to prove a drop: a rough figure, before anything was measured.

The interval of a paired drop is about ``z * spread / sqrt(n)`` to each side, where the spread is
the standard deviation of what one unit (an image or an identity) adds to the drop. With a drop of
zero it must stay below the budget.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import Final

SPREAD: Final[Mapping[tuple[str, str], float]] = {
    ("classification", "accuracy"): 0.22,
    ("classification", "macro_f1"): 0.22,
    ("verification", "auc"): 0.05,
    ("verification", "accuracy"): 0.1,
    ("verification", "eer"): 0.1,
    ("verification", "tar"): 0.3,
    ("verification", "tar_1e3"): 0.3,
    ("verification", "one_shot"): 0.22,
}
"""Assumed spreads, not measured ones. Of classification 0.22: a variant and its teacher disagree on
5 of 100 images, and are equally good. Of verification they are guesses: an identity moves ``auc``
little, ``accuracy`` and ``eer`` more, and a true accept rate at a low false accept rate, which few
pairs decide, most; ``one_shot`` is taken to behave as the accuracy of a classifier."""


def units_needed(task: str, metric: str, drop: float, confidence: float) -> int | None:
    """Return how many images or identities must judge to prove that a drop is kept.

    Args:
        task: What is measured.
        metric: Of which a drop is asked for.
        drop: Largest loss, 0 to 1; of zero nothing can be proven.
        confidence: Coverage of the interval, 0 to 1.

    Example:
        >>> units_needed("classification", "accuracy", 0.01, 0.95)
        1860
    """
    if drop == 0:
        return None
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    return math.ceil((z * SPREAD[task, metric] / drop) ** 2)
