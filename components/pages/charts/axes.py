"""Axes: from numbers to places on the page, with ticks where people expect them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from markupsafe import Markup

from components.pages.charts.svg import Box, tag
from components.statistics.quantities import significant

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_DIGITS = 10
"""More than a tick has, and fewer than its binary number errs by."""


@dataclass(frozen=True)
class Scale:
    """A straight or logarithmic axis.

    Attributes:
        low: Smallest number; above 0 when logarithmic.
        high: Largest number; above ``low``.
        start: Where ``low`` lies, in user units.
        end: Where ``high`` lies; smaller than ``start`` on an axis that runs upwards.
        log: Equal distances are equal ratios.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return where ``value`` lies, at the nearest end when it is outside."""
        value = min(max(value, self.low), self.high)
        if self.log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self, most: int) -> list[float]:
        """Return at most about so many round numbers within the axis."""
        return self._powers(most) if self.log else self._steps(most)

    def _steps(self, most: int) -> list[float]:
        rough = (self.high - self.low) / max(1, most)
        unit = 10 ** math.floor(math.log10(rough))
        step = next(unit * step for step in _STEPS if unit * step >= rough * (1 - 1e-9))
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [round(index * step, 12) for index in range(first, last + 1)]

    def _powers(self, most: int) -> list[float]:
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        found: list[float] = []
        for digits in ((1, 2, 5), (1, 3), (1,)):
            every = [digit * 10.0**power for power in powers for digit in digits]
            found = [tick for tick in every if self.low <= tick <= self.high]
            if len(found) <= most:
                return found
        return found[:: math.ceil(len(found) / most)]


def padded(values: list[float], *, share: float = 0.06, log: bool = False) -> tuple[float, float]:
    """Return ends of an axis that hold ``values`` with some air on both sides."""
    low, high = min(values), max(values)
    if log:
        ratio = max((high / low) ** share, 1.15)
        return low / ratio, high * ratio
    air = (high - low) * share or abs(high) * share or 1.0
    return low - air, high + air


def exact(tick: float) -> str:
    """Write a tick with all of its digits: rounded, 0.9925 and 0.993 would be one place.

    Example:
        >>> [exact(tick) for tick in (0.9925, 0.99, 12.5, 2000.0)]
        ['0.9925', '0.99', '12.5', '2,000']
    """
    return significant(tick, _DIGITS)


def horizontal(
    scale: Scale, frame: Box, *, write: Callable[[float], str], most: int, title: str
) -> list[Markup]:
    """Draw grid lines, tick texts and the title of the axis below ``frame``."""
    drawn: list[Markup] = []
    for tick in scale.ticks(most):
        x = scale(tick)
        drawn += [
            tag("line", x1=x, x2=x, y1=frame.y, y2=frame.bottom, class_="grid"),
            tag("text", write(tick), x=x, y=frame.bottom + 16, text_anchor="middle", class_="note"),
        ]
    middle = (frame.x + frame.right) / 2
    drawn.append(
        tag("line", x1=frame.x, x2=frame.right, y1=frame.bottom, y2=frame.bottom, class_="axis")
    )
    drawn.append(
        tag("text", title, x=middle, y=frame.bottom + 34, text_anchor="middle", class_="note")
    )
    return drawn


def vertical(
    scale: Scale, frame: Box, *, write: Callable[[float], str], most: int, title: str
) -> list[Markup]:
    """Draw grid lines, tick texts and, above its upper end, the title of the axis of ``frame``."""
    drawn: list[Markup] = []
    for tick in scale.ticks(most):
        y = scale(tick)
        drawn += [
            tag("line", x1=frame.x, x2=frame.right, y1=y, y2=y, class_="grid"),
            tag("text", write(tick), x=frame.x - 8, y=y + 4, text_anchor="end", class_="note"),
        ]
    drawn.append(tag("text", title, x=0, y=frame.y - 12, class_="note"))
    return drawn
