"""How single weights are pruned, and what the others learn meanwhile; no frameworks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import Field

from components.contract.types import OnlyWith, Task


@dataclass(frozen=True, kw_only=True)
class WeightPruningSettings:
    """How single weights are pruned, and what the others learn meanwhile.

    Attributes:
        sparsity_schedule: cubic: the share of zeros rises as a cubic curve during the first 60 % of
            the training, and what follows is recovery. constant: all zeros are chosen before the
            first step, and all of the training is recovery.
        label_weight: Share of the labels in what is learned, 0 to 1; the rest are answers. None
            takes 0.5 for classification, where it is what longer training on labels brings, and 0
            for verification, whose training people are few.
        answers_of: Whose answers are learned: those of the model before it was pruned, which it
            may be able to surpass, or of the teacher. None takes the teacher for classification
            and the model for verification.
    """

    sparsity_schedule: Annotated[
        Literal["cubic", "constant"], OnlyWith("method", ("weights", "tfmot"))
    ] = "cubic"
    label_weight: Annotated[
        Annotated[float, Field(ge=0, le=1)] | None, OnlyWith("method", ("weights",))
    ] = None
    answers_of: Annotated[Literal["model", "teacher"] | None, OnlyWith("method", ("weights",))] = (
        None
    )

    def of(self, task: Task) -> WeightPruningSettings:
        """Return the settings with what the task decides where nothing was given."""
        classification = task == "classification"
        weight = self.label_weight
        if weight is None:
            weight = 0.5 if classification else 0.0
        usual: Literal["model", "teacher"] = "teacher" if classification else "model"
        return replace(self, label_weight=weight, answers_of=self.answers_of or usual)
