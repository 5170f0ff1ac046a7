"""How long something takes to answer."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable


def p95_ms(ask: Callable[[], object], times: int, *, within_s: float = math.inf) -> float:
    """Return what 19 of 20 answers keep to, after a first one that does not count.

    Args:
        ask: Asks once.
        times: So often.
        within_s: After so long it is asked no more, once there are two answers.
    """
    ask()
    took: list[float] = []
    first = time.perf_counter()
    for _ in range(times):
        if len(took) > 1 and time.perf_counter() - first > within_s:
            break
        began = time.perf_counter()
        ask()
        took.append(1e3 * (time.perf_counter() - began))
    return statistics.quantiles(took, n=20)[-1]
