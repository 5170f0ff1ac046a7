"""Resampling: how often, and what intervals hold; a part of signatures, so it loads no numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from components.contract.types import Fraction, FromGraph, Repeats, Seed


@dataclass(frozen=True, kw_only=True)
class Resampling:
    """How intervals are made.

    Attributes:
        resamples: Draws behind each interval, count.
        confidence: Which share the intervals hold, 0 to 1.
        seed: Of the draws; of a benchmark's input too.
    """

    resamples: Repeats = 1000
    confidence: Annotated[Fraction, FromGraph()] = 0.95
    seed: Seed = 0
