"""Parameters of a training that a step does not do, or of answers that it does not ask for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from components.ml.settings import Augmentation, TeacherViews, TrainingSchedule
from pipelines.config.faults import Fault, Location, where
from pipelines.config.sections import PathStep

_VIEWS = tuple(field.name for field in fields(TeacherViews))
_TRAINING = (
    *(field.name for part in (TrainingSchedule, Augmentation) for field in fields(part)),
    *_VIEWS,
    "label_weight",
)


def idle_training_faults(location: Location, path: tuple[PathStep, ...]) -> Iterator[Fault]:
    """Refuse what would be dropped in silence: parameters of what the steps of a path leave out.

    Args:
        location: Of the variant.
        path: Its steps.
    """
    for index, step in enumerate(path):
        place = (*location, index, step.component)
        for names, why, fix in _left_out(step):
            for name in names:
                if name in step.parameters:
                    what = f"{where((*place, name))}: {why}"
                    yield (*place, name), what, f"remove {name} there, or {fix}"


def _left_out(step: PathStep) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Yield names of parameters that mean nothing, why, and what would make them mean something."""
    given = step.parameters
    if step.component == "cluster" and given.get("fine_tune") is False:
        yield _TRAINING, "fine_tune is false, so that nothing is trained", "write fine_tune: true"
    if step.component != "prune":
        return
    if given.get("method") == "tfmot":
        why = "method tfmot learns from labels alone, and asks about no images"
        yield _VIEWS, why, "write method: weights"
    elif given.get("method", "weights") == "weights" and given.get("label_weight") == 1:
        why = "label_weight is 1, so that nobody's answers are learned"
        yield (*_VIEWS, "answers_of"), why, "write label_weight: 0.5"
