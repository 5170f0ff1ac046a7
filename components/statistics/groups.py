"""Groups: which metrics a part of the images is large enough for.

An interval over two or three people is narrow because it knows of no others: a floor that it kept
would promise nothing. So below the numbers here a group has no interval at all.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from components.contract.types import Unit
from components.statistics.verification import FAR, has_pairs, impostor_pairs

LEAST_IDENTITIES: Final = 5
"""Fewest identities of a group where identities are what is resampled."""

LEAST_IMAGES: Final = 20
"""Fewest images of a group where images are what is resampled."""


def too_small(task: str, labels: NDArray[np.integer], resample: Unit) -> str | None:
    """Say why nothing can be measured on these images, or None.

    Args:
        task: "verification" or "classification".
        labels: Identities or class indices of the group's images.
        resample: What intervals are over; classification draws images whatever it is.
    """
    known = np.unique(labels).size
    if labels.size == 0:
        return "no image in this split"
    if task == "verification" and not has_pairs(labels):
        what = "no pair of one identity, or none of two"
        return f"{_counted(known, 'identity')} in {_counted(labels.size, 'image')}: {what}"
    if task == "verification" and resample == "identity":
        if known < LEAST_IDENTITIES:
            return f"{_counted(known, 'identity')}; {LEAST_IDENTITIES} are needed for an interval"
    elif labels.size < LEAST_IMAGES:
        return f"{_counted(labels.size, 'image')}; {LEAST_IMAGES} are needed for an interval"
    return None


def too_few_impostors(labels: NDArray[np.integer], far: float = FAR) -> str | None:
    """Say why no false accept rate as small as ``far`` can be read, or None.

    Args:
        labels: Identities of the group's images.
        far: The false accept rate, 0 to 1: below one of all impostor pairs it is none at all.
    """
    impostors = impostor_pairs(labels)
    needed = round(1 / far)
    if impostors >= needed:
        return None
    return f"{impostors} impostor pairs; a false accept rate of {far:g} takes {needed}"


def _counted(number: int, noun: str) -> str:
    plural = {"identity": "identities", "image": "images"}[noun]
    return f"{number} {noun if number == 1 else plural}"
