"""Running sums are those of plain additions, wherever blocks and slabs end."""

import numpy as np
import pytest

from components.statistics.running_sums import running_sums

SLAB = 8192
PAIRS = (1, 31, 32, 33, SLAB - 1, SLAB, SLAB + 1, 3 * SLAB + 40)


@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("largest", [1, 8, 46, 200])  # 16 bits hold a block's sum, or do not
@pytest.mark.parametrize("pairs", PAIRS)
def test_sums_are_those_of_plain_additions(pairs: int, largest: int, rows: int) -> None:
    random = np.random.default_rng(pairs)
    weights_uc = random.integers(0, largest + 1, (30, 7)).astype(np.int32)
    weights_uc[3] = largest
    units = random.integers(0, 30, (rows, pairs))
    positions = np.concatenate([random.integers(0, pairs + 1, 50), [pairs, 0, pairs]])
    each = np.prod([weights_uc[row].astype(np.int64) for row in units], axis=0)
    plain = np.concatenate([np.zeros((1, 7), np.int64), np.cumsum(each, axis=0)])
    found = running_sums(weights_uc, units, positions)
    np.testing.assert_array_equal(found.sums, plain[positions])
    np.testing.assert_array_equal(found.total, plain[-1])
