"""Image draws: which images of a split ranges are taken from and errors are measured on.

Shapes: n images, h rows, w columns, c channels.
"""

from __future__ import annotations

import numpy as np


def draw(labels_n: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Choose rows evenly over the classes: one of each class in turn, at random within a class.

    Args:
        labels_n: Class of every row.
        count: How many rows, at most.
        seed: The same seed chooses the same rows.

    Returns:
        Row numbers, ascending.
    """
    order_n = np.random.default_rng(seed).permutation(len(labels_n))
    turns_n = np.empty(len(labels_n), np.int64)  # the how-manieth of its class a row is
    for label in np.unique(labels_n):
        members = order_n[labels_n[order_n] == label]
        turns_n[members] = np.arange(len(members))
    # Stable, so that within a turn the order is random too and a short draw favours no class.
    chosen = order_n[np.argsort(turns_n[order_n], kind="stable")][:count]
    return np.sort(chosen)


def draw_random(images: int, count: int, seed: int) -> np.ndarray:
    """Choose rows at random, whatever their class.

    Args:
        images: How many there are to choose from.
        count: How many rows, at most.
        seed: The same seed chooses the same rows.

    Returns:
        Row numbers, ascending.
    """
    return np.sort(np.random.default_rng(seed).permutation(images)[:count])


def draw_identities(labels_n: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Choose all rows of identities that are drawn at random, so that pairs of each are there.

    Args:
        labels_n: Identity of every row.
        count: Identities are added while there are fewer rows than this; never fewer than two
            identities, of which one at least has a pair.
        seed: The same seed chooses the same rows.

    Returns:
        Row numbers, ascending.
    """
    names, members = np.unique(labels_n, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    order = order[np.argsort(members[order] < 2, kind="stable")]  # those with a pair first
    rows = np.cumsum(members[order])
    taken = max(2, int(np.searchsorted(rows, count)) + 1)
    return np.flatnonzero(np.isin(labels_n, names[order[:taken]]))


def with_full_range(pixels_nhwc: np.ndarray) -> np.ndarray:
    """Return the images with one black and one white pixel somewhere.

    Calibration takes the smallest and the largest value of the input for its range. Images that
    happen to be neither quite black nor quite white anywhere would make the app's pixels fall
    between the levels; with both in, one level is one pixel value and an app can hand over its
    bytes as they are. Two pixels in opposite corners of the first image do that; whole black and
    white images, which no camera takes, would stretch the range of every layer behind the input.

    Args:
        pixels_nhwc: uint8.
    """
    marked_nhwc = pixels_nhwc.copy()
    marked_nhwc[0, 0, 0] = 0
    marked_nhwc[0, -1, -1] = 255
    return marked_nhwc
