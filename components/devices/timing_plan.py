"""The plan of a timing: what a benchmark does on any device; loads no numpy."""

from __future__ import annotations

from dataclasses import dataclass

from components.contract.types import PositiveFloat, Repeats, Threads


@dataclass(frozen=True, kw_only=True)
class TimingPlan:
    """How a model is timed.

    Attributes:
        threads: Of the runtime, at most the cores that this process may use.
        processes: Fresh processes, one after the other; 3 to 5 to see how far they lie apart.
        blocks: Groups of samples in each process.
        block_ms: About how long a group takes; it has 3 to 250 samples, or as many more as take
            10 milliseconds.
        warm_up_ms: Inferences before the first group, at least this long.
        limit_s: What one process may take before it counts as hanging.
    """

    threads: Threads = 1
    processes: Repeats = 3
    blocks: Repeats = 8
    block_ms: PositiveFloat = 40.0
    warm_up_ms: PositiveFloat = 50.0
    limit_s: PositiveFloat = 300.0


@dataclass(frozen=True, kw_only=True)
class LastingPlan(TimingPlan):
    """How a model is run without a pause: one process that goes on after its blocks.

    Attributes:
        for_s: How long.
    """

    for_s: float
