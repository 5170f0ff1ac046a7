"""Budgets: what a variant must keep to; a part of signatures, so it loads no numpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from components.contract.types import FromGraph, NonNegativeFloat, PositiveFloat
from components.statistics.quantities import MEGABYTE

Floor: TypeAlias = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


@dataclass(frozen=True)
class DropBudget:
    """How much worse than the reference a variant may be.

    Attributes:
        metric: Name of the metric whose drop against the reference counts.
        drop: Largest drop, in units of the metric; 0.01 is one point of AUC or accuracy.
    """

    metric: Annotated[str, FromGraph()]
    drop: Annotated[NonNegativeFloat, FromGraph()]


@dataclass(frozen=True)
class Budgets(DropBudget):
    """What a variant must keep to.

    Attributes:
        size_mb: Largest file in units of 1,000,000 bytes; None for no limit.
        latency_ms: Longest median of steady inferences in milliseconds on every device; None for
            no limit.
        at_least: By metric the floor that the lower end of its interval must be at or above; None
            for no floors.
        per: ``group``: every floor must hold for each group of images, too.
    """

    size_mb: Annotated[PositiveFloat | None, FromGraph()] = None
    latency_ms: Annotated[PositiveFloat | None, FromGraph()] = None
    at_least: Annotated[Mapping[str, Floor] | None, FromGraph()] = None
    per: Annotated[Literal["group"] | None, FromGraph()] = None

    @property
    def floors(self) -> Mapping[str, float]:
        """The floors by metric; empty where there are none."""
        return self.at_least or {}

    @property
    def size_bytes(self) -> int | None:
        """The size budget in bytes."""
        return None if self.size_mb is None else round(self.size_mb * MEGABYTE)
