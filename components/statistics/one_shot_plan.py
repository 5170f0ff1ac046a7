"""How one-shot trials are drawn; a part of signatures, so it loads no numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from components.contract.types import Repeats


@dataclass(frozen=True, kw_only=True)
class OneShotPlan:
    """How one-shot trials of verification are drawn; classification has none.

    Attributes:
        ways: Identities that each one-shot trial chooses between: 20 as in Lake et al. (2015).
        trials: One-shot trials in all, spread evenly over the identities that are asked about.
    """

    ways: Annotated[int, Field(ge=2, le=1000)] = 20
    trials: Repeats = 10_000
