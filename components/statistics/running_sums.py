"""Running sums of pairs' weights, for many resamples at once: what takes the time of a bootstrap.

Shapes: u units to resample, c resamples of one chunk, p pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Counts = NDArray[np.int32]

# Pairs of a step, and rows of a block within it, which keep arrays in the processor's caches.
_SLAB, _BLOCK = 8192, 32


@dataclass(frozen=True, eq=False)
class RunningSums:
    """Sums of the weights of the first pairs, at the positions that were asked for."""

    sums: Counts  # positions x c
    total: Floats  # c

    @property
    def share(self) -> Floats:
        """Of all weights, 0 to 1."""
        return self.sums / self.total


def running_sums(weights_uc: Counts, units: Ints, positions: Ints) -> RunningSums:
    """Sum the weights of the first ``positions`` pairs, for each column of weights.

    Args:
        weights_uc: Counts of the units.
        units: 1 or 2 x p: a pair weighs the product of its units' weights.
        positions: Any, each 0 to p.
    """
    # Counts of a resample are small, and a gather costs what it moves.
    small_uc = weights_uc.astype(np.uint8 if int(weights_uc.max()) < 16 else np.int32)
    pairs, columns = units.shape[1], weights_uc.shape[1]
    sums = np.zeros((positions.size, columns), np.int32)
    total = np.zeros(columns, np.int32)
    for start in range(0, pairs, _SLAB):
        slab = units[:, start : start + _SLAB]
        weights_pc = np.take(small_uc, slab[0], axis=0)
        if len(slab) > 1:
            weights_pc *= np.take(small_uc, slab[1], axis=0)
        rows = _cumulative(weights_pc)
        (here,) = np.nonzero((positions > start) & (positions <= start + _SLAB))
        sums[here] = rows[positions[here] - start] + total
        total += rows[-1]
    return RunningSums(sums, total.astype(np.float64))


def _cumulative(weights_pc: NDArray[np.integer]) -> Counts:
    """Return running sums, row i over the first i rows; rows beyond the last repeat the total.

    ``np.cumsum`` walks down one column at a time; adding whole rows, first inside blocks and then
    the blocks' totals, is ten times as fast and, on integers, the same.
    """
    pairs, columns = weights_pc.shape
    sums = np.zeros((pairs // _BLOCK + 1, _BLOCK, columns), np.int32)
    rows = sums.reshape(-1, columns)
    rows[1 : pairs + 1] = weights_pc
    for row in range(1, _BLOCK):
        sums[:, row] += sums[:, row - 1]
    sums[1:] += np.cumsum(sums[:-1, -1], axis=0, dtype=np.int32)[:, None]
    return rows
