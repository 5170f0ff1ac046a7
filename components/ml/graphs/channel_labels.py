"""Labels of channels: which channels of which tensors can only be removed together.

Every tensor of a graph has one label for each channel of its last axis. Where two channels have to
stay or go together, their labels are tied (a union-find structure); where one has to stay, its
label is frozen, with the reason.

Shapes: c labels of one tensor.
"""

from __future__ import annotations

import numpy as np


class Labels:
    """Labels, which of them are tied, and which are frozen and why."""

    def __init__(self) -> None:
        self._parents: list[int] = []
        self._reasons: dict[int, str] = {}

    def new(self, count: int) -> np.ndarray:
        """Return so many labels, tied to nothing yet."""
        first = len(self._parents)
        self._parents.extend(range(first, first + count))
        return np.arange(first, first + count)

    def tie(self, one_c: np.ndarray, other_c: np.ndarray) -> None:
        """Tie labels in pairs: what becomes of one becomes of the other."""
        for one, other in zip(one_c.ravel().tolist(), other_c.ravel().tolist(), strict=True):
            root, other_root = self._root(one), self._root(other)
            if root == other_root:
                continue
            self._parents[root] = other_root
            reason = self._reasons.pop(root, None)
            if reason is not None:
                self._reasons.setdefault(other_root, reason)

    def tie_all(self, labels_c: np.ndarray) -> None:
        """Tie all of these to each other."""
        self.tie(labels_c[:-1], labels_c[1:])

    def freeze(self, labels_c: np.ndarray, reason: str) -> None:
        """Say that these, and all that is tied to them, have to stay; the first reason is kept."""
        for label in labels_c.ravel().tolist():
            self._reasons.setdefault(self._root(label), reason)

    def roots(self, labels_c: np.ndarray) -> np.ndarray:
        """Return one label for all that are tied to each other."""
        return np.array([self._root(label) for label in labels_c.tolist()], int)

    def reason(self, label: int) -> str | None:
        """Return why a label is frozen, or None."""
        return self._reasons.get(self._root(label))

    def _root(self, label: int) -> int:
        while self._parents[label] != label:
            self._parents[label] = self._parents[self._parents[label]]
            label = self._parents[label]
        return label
