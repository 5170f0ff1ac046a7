"""How long something takes to answer."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def p95_ms(ask: Callable[[], object], times: int) -> float:
    """Return what 19 of 20 answers keep to, after a first one that does not count."""
    ask()
    took: list[float] = []
    for _ in range(times):
        began = time.perf_counter()
        ask()
        took.append(1e3 * (time.perf_counter() - began))
    return statistics.quantiles(took, n=20)[-1]
