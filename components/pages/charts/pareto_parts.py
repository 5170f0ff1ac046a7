"""What a Pareto picture is drawn of: points, both axes, and budgets.

A report draws the size of files against the metric that counts. Who explores a decision may draw
latency or memory, another metric, and budgets that are moved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from components.artifacts.decision import Candidate
from components.statistics.bootstrap import Interval
from components.statistics.quantities import short_bytes


@dataclass(frozen=True)
class Point:
    """One variant in the Pareto picture.

    Attributes:
        variant: Its verdict decides colour and shape; of the front it is filled and joined.
        metric: Its metric, which a variant that crashed has not.
        cost: What lies along the picture; None is the length of its file.
        series: Of several decisions in one picture, a class that colours this one's variants.
        named: Whether its name stands beside it.
    """

    variant: Candidate
    metric: Interval
    cost: Interval | None = None
    series: str = ""
    named: bool = True

    @property
    def along(self) -> Interval:
        """What lies along the picture."""
        if self.cost:
            return self.cost
        size = float(self.variant.file_bytes)
        return Interval(size, size, size)


@dataclass(frozen=True)
class CostAxis:
    """The axis that runs to the right, on which less is better.

    Attributes:
        title: What it shows.
        name: The same in a word or two.
        write: Writes a number of it.
    """

    title: str = "size of the .tflite file"
    name: str = "size"
    write: Callable[[float], str] = short_bytes


@dataclass(frozen=True)
class MetricAxis:
    """The axis that runs upwards.

    Attributes:
        title: Of the metric.
        higher_is_better: False turns the axis over, so that up is better in every picture.
        limit_name: What its limit is called.
    """

    title: str
    higher_is_better: bool = True
    limit_name: str = "allowed drop"


@dataclass(frozen=True)
class BudgetLines:
    """Budgets, as lines.

    Attributes:
        cost: The most that may lie along the picture; None draws no line.
        metric: The reference's metric less the allowed drop, or what else must be reached.
    """

    cost: float | None = None
    metric: float | None = None


@dataclass(frozen=True)
class Exploring:
    """What a picture has besides where people move its budgets and walk through its variants.

    Attributes:
        moved: Drawn in place of the limits, which both axes go on to reach: so nothing else moves.
        shown: The variant that is looked at, or None.
    """

    moved: BudgetLines
    shown: str | None = None
