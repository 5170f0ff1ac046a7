"""Which images go into which batch: drawn by seed, before anything is loaded.

Shapes: n images, s batches of an epoch, b images in a batch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


def shuffled(images: int, batch: int, random: np.random.Generator) -> Rows:
    """Draw every image once an epoch, but for the rest that would make a smaller batch.

    Args:
        images: n.
        batch: b; more than ``images`` means all of them at once.
        random: Where the order comes from.

    Returns:
        s x b rows.
    """
    batch = min(batch, images)
    order = random.permutation(images)
    return order[: images - images % batch].reshape(-1, batch)


def of_identities(
    labels_n: NDArray[np.integer],
    identities: int,
    images: int,
    batches: int,
    random: np.random.Generator,
) -> Rows:
    """Draw batches of P identities with K images of each, so that all pairs can be compared.

    Identities and the images of one come in turn, so that all occur equally often; the images of a
    small identity occur again.

    Args:
        labels_n: Identities, at least two.
        identities: P; more than there are means all of them.
        images: K, at least 2: without a second image nobody can be recognized.
        batches: s.
        random: Where the order comes from.

    Returns:
        s x b rows, b = P K; the K images of an identity lie beside each other.

    Raises:
        ValueError: Fewer than two identities or images of each.
    """
    members = {label: np.flatnonzero(labels_n == label) for label in np.unique(labels_n)}
    identities = min(identities, len(members))
    if identities < 2 or images < 2:
        raise ValueError(
            f"a batch of {identities} identities with {images} images each has no pair of both "
            "kinds: at least 2 of each are needed"
        )
    order = _Cycle(np.array(list(members)), random)
    cycles = {label: _Cycle(rows, random) for label, rows in members.items()}
    return np.stack(
        [
            np.concatenate([cycles[label].next(images) for label in order.next(identities)])
            for _ in range(batches)
        ]
    )


class _Cycle:
    """Draws items in a random order, all of them before any comes again."""

    def __init__(self, items: Rows, random: np.random.Generator) -> None:
        self._items = items
        self._random = random
        self._left: list[int] = []

    def next(self, count: int) -> list[int]:
        """Return ``count`` items, none twice unless there are fewer."""
        drawn: list[int] = []
        while len(drawn) < count:
            if not self._left:
                fresh = self._random.permutation(self._items).tolist()
                # Those just drawn come last, so that none of them is in this draw twice.
                self._left = [i for i in fresh if i in drawn] + [i for i in fresh if i not in drawn]
            drawn.append(self._left.pop())
        return drawn
