"""Operators: where the time of an inference goes, operator by operator, as a profiler tells it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

SHOWN = 6
"""Kinds of operators that a report names; what all others take together is one line."""


@dataclass(frozen=True)
class OperatorTime:
    """One operator, or all of one kind.

    Attributes:
        kind: What the runtime calls it: ``CONV_2D``, ``Convolution (NHWC, F32) IGEMM``.
        ms: What it takes in one inference, mean.
        count: How many operators that is.
    """

    kind: str
    ms: float
    count: int = 1


@dataclass(frozen=True)
class OperatorTimes:
    """What the operators of a model take, measured in a process of its own.

    A profiler costs time, and tells whole microseconds: the sum stands beside the p50 that was
    measured without it, so that a reader sees what the shares are worth.

    Attributes:
        source: Which profiler.
        runs: Inferences that the means are of.
        operators: In the order in which they ran.
        sum_ms: What all of them take together.
        p50_ms: Of the same model without a profiler; None where there is none.
        why_not: Why nothing is known; empty where something is.
    """

    source: str
    runs: int = 0
    operators: tuple[OperatorTime, ...] = ()
    sum_ms: float = 0.0
    p50_ms: float | None = None
    why_not: str = ""

    @classmethod
    def told(
        cls, source: str, runs: int, operators: Sequence[OperatorTime], p50_ms: float | None
    ) -> OperatorTimes:
        """Return what a profiler tells, with the sum of it."""
        whole = sum(each.ms for each in operators)
        return cls(source, runs, tuple(operators), whole, p50_ms)

    @property
    def of_p50(self) -> float | None:
        """Which part of the p50 that is; 1 is all of it."""
        return self.sum_ms / self.p50_ms if self.p50_ms else None

    def by_kind(self, shown: int = SHOWN) -> OperatorTimes:
        """Return the kinds that take most, the most first, and all others as one.

        Args:
            shown: How many kinds are named.
        """
        taken: dict[str, list[OperatorTime]] = defaultdict(list)
        for each in self.operators:
            taken[each.kind].append(each)
        kinds = [
            OperatorTime(kind, sum(one.ms for one in of_it), sum(one.count for one in of_it))
            for kind, of_it in taken.items()
        ]
        kinds.sort(key=lambda each: -each.ms)
        rest = kinds[shown:]
        if len(rest) > 1:
            others = sum(one.ms for one in rest), sum(one.count for one in rest)
            kinds = [*kinds[:shown], OperatorTime("others", *others)]
        return replace(self, operators=tuple(kinds))
