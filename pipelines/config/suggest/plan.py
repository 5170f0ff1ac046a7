"""What all rules share: the steps and variants that they make, and students in their sizes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipelines.config.suggest.assumed_time import (
    LEAF_MINUTES,
    QUANTIZING_MINUTES,
    student_minutes,
    tuning_minutes,
)
from pipelines.config.suggest.situation import Situation
from pipelines.config.suggest.students import SMALL_SIDE, Student, network_bytes, student_of

VIEWS = 8
FINE_EPOCHS = 6
EPOCHS = (400, 200, 100, 60, 40, 25, 15, 10, 6)
"""Lengths of a student's training; the longest is taken that leaves time for something else."""
_SEEN_MOST = 400_000
"""Images that a student sees in all its epochs, at most: few images are seen the more often. On 220
faces 400 epochs were better than 100."""
_FEW_IMAGES = 1_000
"""Of fewer images so few validate that the best epoch is luck; the last is kept."""
_STUDENTS_SHARE = 0.4
FILLED = 0.9
"""How much of the size budget the largest student takes by what is counted beforehand."""
_SIZES_ASSUMED = {True: 120_000, False: 1_200_000}
"""Bytes of the largest student where no budget says any, of small images and of larger ones."""


@dataclass(frozen=True)
class SuggestedStep:
    """One step of a suggested path.

    Attributes:
        component: Which one.
        parameters: As a configuration gives them.
        label: What YAML calls the parameters where several variants share them.
        more: Parameters beside the shared ones.
    """

    component: str
    parameters: Mapping[str, object]
    label: str
    more: Mapping[str, object] = field(default_factory=dict[str, object])

    @property
    def plain(self) -> dict[str, object]:
        """The step as a configuration holds it."""
        return {self.component: {**self.parameters, **self.more}}


@dataclass(frozen=True)
class SuggestedVariant:
    """One suggested variant.

    Attributes:
        name: Its name.
        path: Its steps.
        reason: Why it is there, in a sentence or two.
    """

    name: str
    path: tuple[SuggestedStep, ...]
    reason: str


@dataclass(frozen=True)
class Plan:
    """What all rules share: the situation, and the students in their sizes.

    Attributes:
        situation: What is known.
        epochs: How long students are trained.
        students: The largest within the budget that is no larger than the teacher, one of a third
            of its bytes and one of a ninth.
    """

    situation: Situation
    epochs: int
    students: Sequence[Student]

    def distilled(self, place: int = 0, **more: object) -> SuggestedStep:
        """Return the step that makes one of the students."""
        parameters = {**self.students[place].parameters, "epochs": self.epochs}
        if self.situation.images < _FEW_IMAGES:
            parameters["keep"] = "last"
        return SuggestedStep("distill", parameters, ("student", "small", "tiny")[place], more)


def plan_of(situation: Situation, left_minutes: float) -> Plan:
    """Choose sizes and lengths for the students.

    Args:
        situation: What is known.
        left_minutes: What is left of the time when there is a teacher.
    """
    largest = FILLED * (situation.size_bytes or _SIZES_ASSUMED[situation.side <= SMALL_SIDE])
    # Beyond what the rules know, and beyond the teacher itself, a budget says nothing of students.
    known = student_of(situation, math.inf).int8_bytes
    teacher = network_bytes(situation, situation.network) if situation.network else None
    largest = min(largest, known, teacher or known)
    students = tuple(student_of(situation, largest / part) for part in (1, 3, 9))
    fitting = [
        epochs
        for epochs in EPOCHS
        if epochs * situation.images <= _SEEN_MOST
        and student_minutes(situation, students[0], epochs, VIEWS) <= _STUDENTS_SHARE * left_minutes
    ]
    return Plan(situation, fitting[0] if fitting else EPOCHS[-1], students)


def step_minutes(plan: Plan, path: Sequence[SuggestedStep]) -> float:
    """Return how long the last step of a path takes, of which the others are done.

    Of a student with a control it is what the control takes: the student is there already.
    """
    step, situation = path[-1], plan.situation
    if step.component == "distill":
        place = ("student", "small", "tiny").index(step.label)
        return student_minutes(situation, plan.students[place], plan.epochs, VIEWS)
    if step.component in ("quantize", "train"):
        return QUANTIZING_MINUTES
    epochs = step.parameters.get("epochs", FINE_EPOCHS)
    assert isinstance(epochs, int)
    student = plan.students[0] if path[0].component == "distill" else None
    return tuning_minutes(situation, epochs, student)


def leaf_minutes(variant: SuggestedVariant) -> float:
    """Return how long it takes to convert and measure a variant, and its control."""
    return LEAF_MINUTES * (2 if variant.path[0].more.get("control") else 1)
