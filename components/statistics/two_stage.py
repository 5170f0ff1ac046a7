"""Two-stage draws: what resembles each other within groups is drawn group by group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from components.statistics.resampling import Resampling


def block_draws(blocks: Sequence[int], resampling: Resampling) -> NDArray[np.int32]:
    """Draw as many groups as there are, and in each as many of its blocks as it has.

    Samples in a row resemble each other, as do those of one process, so that neither may be drawn
    one by one.

    Args:
        blocks: How many each group (a process) has, at least one.
        resampling: How often, and the seed.

    Returns:
        Resamples x all blocks: how often each was drawn, with its group.
    """
    random = np.random.default_rng(resampling.seed)
    drawn = random.multinomial(len(blocks), _even(len(blocks)), resampling.resamples)
    columns: list[NDArray[np.int64]] = []
    for place, size in enumerate(blocks):
        columns.append(random.multinomial(drawn[:, place] * size, _even(size)))
    return np.concatenate(columns, axis=1).astype(np.int32)


def _even(count: int) -> list[float]:
    return [1 / count] * count
