"""Running sums of pairs' weights, for many resamples at once: what takes the time of a bootstrap.

Shapes: u units to resample, c resamples of one chunk, p pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Counts = NDArray[np.int32]

_BLOCK: Final = 32  # pairs whose running sums are formed together
_SLAB: Final = 256 * _BLOCK  # pairs of a step, whose arrays stay in the processor's caches


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
    small_uc = _small(weights_uc, len(units))
    pairs, columns = units.shape[1], weights_uc.shape[1]
    sums = np.zeros((positions.size, columns), np.int32)
    total = np.zeros(columns, np.int32)
    order = np.argsort(positions)
    stops: Ints = np.arange(0, pairs + _SLAB, _SLAB, dtype=np.int64)
    ends = np.searchsorted(positions[order], stops, "right")
    for number, start in enumerate(range(0, pairs, _SLAB)):
        slab = units[:, start : start + _SLAB]
        if short := -slab.shape[1] % _BLOCK:
            slab = np.pad(slab, ((0, 0), (0, short)), constant_values=-1)
        # Pairs of one place in their blocks lie side by side: whole arrays are added, not rows.
        places = slab.reshape(len(units), -1, _BLOCK).swapaxes(1, 2)
        inside = np.take(small_uc, places[0], axis=0)
        if len(places) > 1:
            inside *= np.take(small_uc, places[1], axis=0)
        for row in range(1, _BLOCK):
            inside[row] += inside[row - 1]
        before = np.cumsum(inside[-1], axis=0, dtype=np.int32)
        here = order[ends[number] : ends[number + 1]]
        block, row = np.divmod(positions[here] - start - 1, _BLOCK)
        sums[here] = total + inside[row, block] + (before[block] - inside[-1, block])
        total += before[-1]
    return RunningSums(sums, total.astype(np.float64))


def _small(weights_uc: Counts, factors: int) -> NDArray[np.integer]:
    """Return weights in 16 bits where a block's sums fit, with a row of zeros as the last.

    Counts of a resample are small, and what is gathered and added costs what it moves. The last
    row is of no unit: with it a block is filled up.
    """
    largest = int(weights_uc.max()) ** factors * _BLOCK
    return np.pad(weights_uc, ((0, 1), (0, 0))).astype(
        np.uint16 if largest <= np.iinfo(np.uint16).max else np.int32
    )
