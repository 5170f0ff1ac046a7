"""Controls: beside a distilled variant the same one whose network learned from labels alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from components.ml.settings import TeacherViews
from components.ml.techniques.distillation_settings import DistillationSettings
from pipelines.config.sections import CONTROL, PathStep

_KEY = "control"
_OF_THE_TEACHER = {
    field.name for kind in (DistillationSettings, TeacherViews) for field in fields(kind)
}
"""Parameters of ``distill`` that mean nothing to a control: two that differ in these are one."""


def has_control(path: Sequence[PathStep]) -> bool:
    """Whether a variant asks for a control."""
    return any(step.parameters.get(_KEY) is True for step in path)


def without_control(path: Sequence[PathStep]) -> tuple[PathStep, ...]:
    """Return the path of the variant itself, which is the same whether it has a control or not."""
    return tuple(_changed(step, drop={_KEY}) for step in path)


def control_of(path: Sequence[PathStep]) -> tuple[PathStep, ...]:
    """Return the path of a variant's control: its network learns from labels, all else follows."""
    return tuple(
        _changed(step, drop=_OF_THE_TEACHER) if step.parameters.get(_KEY) is True else step
        for step in path
    )


def control_name(variant: str) -> str:
    """Return what the control of a variant is called."""
    return f"{CONTROL}{variant}"


def _changed(step: PathStep, drop: set[str]) -> PathStep:
    kept = {name: value for name, value in step.parameters.items() if name not in drop}
    return step.model_copy(update={"parameters": kept})
