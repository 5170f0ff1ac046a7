"""What a student learns from its teacher: the settings of ``distillation``; no frameworks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from components.contract.types import NonNegativeFloat, PositiveFloat


@dataclass(frozen=True, kw_only=True)
class DistillationSettings:
    """How much each kind of the teacher's answers weighs.

    Attributes:
        temperature: Softens both sides' probabilities; above 1 shows how wrong classes rank
            (classification).
        soft_weight: Share of the teacher's answers against the labels, 0 to 1 (classification).
        embedding_weight: Weight of 1 - cosine to the teacher's embedding; where the sizes differ,
            of a projection of the student's that is learned too (verification).
        relational_weight: Weight of matching the distances within a batch (verification).
        similarity_weight: Weight of matching the cosines within a batch, about 30 to be led by it
            (verification).
        label_weight: Weight of the loss on the labels (verification).
    """

    temperature: PositiveFloat = 4.0
    soft_weight: Annotated[float, Field(ge=0, le=1)] = 0.7
    embedding_weight: NonNegativeFloat = 1.0
    relational_weight: NonNegativeFloat = 1.0
    similarity_weight: NonNegativeFloat = 0.0
    label_weight: NonNegativeFloat = 1.0
