"""Which layer of a student is to do what which layer of its teacher does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.contract.errors import UserError, suggest
from components.ml.techniques.distillation_settings import DistillationSettings
from components.ml.training.features import Resolution, maps_of, stages_of

_STAGES = 3
"""Resolutions, the lowest ones, whose attention maps are learned where no layers are named."""


@dataclass(frozen=True)
class LayerPair:
    """A layer of the teacher and the one of the student that is to do what it does.

    Attributes:
        teacher: Its name.
        student: Its name.
        resolution: Of the student's; a teacher's of another one is resized to it.
    """

    teacher: str
    student: str
    resolution: Resolution

    @property
    def key(self) -> str:
        """Under which a batch holds the teacher's attention map."""
        return f"attention of {self.teacher}"


@dataclass(frozen=True)
class Pairing:
    """Which layers are matched.

    Attributes:
        hint: For hints; None without them.
        attention: For attention maps; none without them.
    """

    hint: LayerPair | None
    attention: tuple[LayerPair, ...]

    @property
    def student_layers(self) -> tuple[str, ...]:
        """Names, each once."""
        pairs = [*self.attention, *([self.hint] if self.hint else [])]
        return tuple(dict.fromkeys(pair.student for pair in pairs))

    @property
    def teacher_layers(self) -> tuple[str, ...]:
        """Names, each once."""
        pairs = [*self.attention, *([self.hint] if self.hint else [])]
        return tuple(dict.fromkeys(pair.teacher for pair in pairs))


def pairing_of(teacher: Any, student: Any, settings: DistillationSettings) -> Pairing:
    """Choose the layers.

    Those that are named; else, of every resolution that both networks have, the last layer: for
    hints the one in the middle, as FitNets does, for attention the lowest three.

    Args:
        teacher: A ``tf_keras`` model.
        student: Like it.
        settings: Names, and whether there are hints and attention maps at all.

    Raises:
        UserError: A name is none of a layer with a feature map, or no resolution is shared.
    """
    if settings.hint_layers:
        named = zip(settings.hint_layers, (teacher, student), ("teacher", "student"), strict=True)
        theirs, ours = (_named(name, maps_of(model), side) for name, model, side in named)
        shared = [LayerPair(theirs, ours, maps_of(student)[ours])]
    else:
        wide, small = stages_of(teacher), stages_of(student)
        shared = [LayerPair(wide[one], small[one], one) for one in wide if one in small]
        if not shared:
            raise UserError(
                f"teacher and student have no resolution in common: {_told(wide)} and "
                f"{_told(small)}",
                f"name two layers: hint_layers: [{[*wide.values()][-1]}, {[*small.values()][-1]}]",
            )
    return Pairing(
        hint=shared[len(shared) // 2] if settings.hint_weight else None,
        attention=tuple(shared[-_STAGES:]) if settings.attention_weight else (),
    )


def _named(name: str, maps: Mapping[str, Resolution], side: str) -> str:
    if name not in maps:
        raise UserError(
            f"hint_layers: the {side} has no layer {name!r} that answers with one feature map",
            suggest(name, maps),
        )
    return name


def _told(stages: Mapping[Resolution, str]) -> str:
    return ", ".join(f"{rows} x {columns}" for rows, columns in stages) or "none"
