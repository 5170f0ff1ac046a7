"""What a student learns from its teacher: the settings of ``distillation``; no frameworks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field

from components.contract.types import NonNegativeFloat, PositiveFloat, Task


@dataclass(frozen=True, kw_only=True)
class DistillationSettings:
    """How much each kind of the teacher's answers weighs.

    Attributes:
        temperature: Softens both sides' probabilities; above 1 shows how wrong classes rank
            (classification).
        soft_weight: Share of the teacher's answers against the labels, 0 to 1 (classification).
        embedding_weight: Weight of 1 - cosine to the teacher's embedding; where the sizes differ,
            of a projection of the student's that is learned too (verification).
        relational_weight: Weight of matching the distances within a batch, of embeddings or of
            logits. None takes 1 for verification and 0 for classification.
        similarity_weight: Weight of matching the cosines within a batch, of embeddings or of
            logits; about 30 to be led by it.
        distribution_weight: Weight of matching how near the other images of the batch are to each,
            as a distribution (a softmax of the cosines). Where the teacher is good, 1 with all
            other weights 0, also that of the labels, was best on Omniglot (verification).
        distribution_temperature: What the cosines are divided by before it; lower looks at the
            nearest alone (verification).
        label_weight: Weight of the loss on the labels (verification).
        hint_weight: Weight of matching what a layer inside the teacher answers, up to a projection
            that is learned too; 1 weighs an error as large as the features themselves as much as 1
            nat. Not of a teacher that can only be run.
        attention_weight: Weight of matching where in the image layers inside the teacher answer
            most; 0 to 2 is what it weighs. Not of a teacher that can only be run.
        hint_layers: Names of the teacher's and the student's layer for both. None takes the last
            layers at resolutions that both networks have: the middle one of them for hints, the
            lowest three for attention.
    """

    temperature: PositiveFloat = 4.0
    soft_weight: Annotated[float, Field(ge=0, le=1)] = 0.7
    embedding_weight: NonNegativeFloat = 1.0
    relational_weight: NonNegativeFloat | None = None
    similarity_weight: NonNegativeFloat = 0.0
    distribution_weight: NonNegativeFloat = 0.0
    distribution_temperature: PositiveFloat = 0.1
    label_weight: NonNegativeFloat = 1.0
    hint_weight: NonNegativeFloat = 0.0
    attention_weight: NonNegativeFloat = 0.0
    hint_layers: Annotated[list[str], Field(min_length=2, max_length=2)] | None = None

    def of(self, task: Task) -> DistillationSettings:
        """Return the settings with what the task decides where nothing was given."""
        if self.relational_weight is not None:
            return self
        return replace(self, relational_weight=1.0 if task == "verification" else 0.0)

    def learns_something(self, task: Task) -> bool:
        """Whether any weight is not 0; to be asked of what ``of`` returned."""
        if task == "classification":  # labels and answers share one weight
            return True
        return self.features or any(
            (
                self.embedding_weight,
                self.relational_weight,
                self.similarity_weight,
                self.distribution_weight,
                self.label_weight,
            )
        )

    @property
    def features(self) -> bool:
        """Whether anything is learned from inside the teacher."""
        return bool(self.hint_weight or self.attention_weight)


ONLY_FOR: Mapping[Task, tuple[str, ...]] = {
    "classification": ("temperature", "soft_weight"),
    "verification": (
        "embedding_weight",
        "label_weight",
        "distribution_weight",
        "distribution_temperature",
    ),
}
"""Settings that mean something for one task alone."""
