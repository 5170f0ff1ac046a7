"""The settings of ``fisher``; no frameworks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from components.contract.types import Formerly, NonNegativeFloat, NonNegativeInt


@dataclass(frozen=True, kw_only=True)
class FisherSettings:
    """How much Fisher's linear discriminants of the pixels weigh against the labels.

    Attributes:
        fisher_weight: Weight of Fisher's linear discriminants of the pixels: the cosines within a
            batch are to be those between them, 100 to 1000 to be led by it; 0 goes without. For
            aligned images of few identities, where a network alone learns these by heart
            (verification).
        mixup: Mixed images, of two each, that a batch has beside its images, for the discriminants,
            count. The more, the closer the network follows them to people whom it has not seen.
    """

    fisher_weight: Annotated[NonNegativeFloat, Formerly("guide_weight")] = 0.0
    mixup: Annotated[NonNegativeInt, Formerly("mixes")] = 16
