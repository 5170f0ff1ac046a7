"""What the sections of all kinds of devices have in common."""

from __future__ import annotations

import re
from typing import ClassVar

from pydantic import Field, model_serializer

from components.artifacts.budgets import DeviceLimit
from pipelines.config.sections import Name, Parameters, WithParameters

NAME_CHARACTERS_MAX = 40


class DeviceSection(WithParameters):
    """A device; all other keys are parameters of the component that measures on it.

    Attributes:
        component: Which one.
        on_this_machine: Whether a step that measures on it needs this machine for itself alone.
        told_apart_by: Parameters that say which one it is: two sections of equal ones are about
            the same device, on which one step runs at a time.
        tells: Budgets that its numbers can be held against.
    """

    component: ClassVar[str]
    on_this_machine: ClassVar[bool] = False
    told_apart_by: ClassVar[tuple[str, ...]] = ()
    tells: ClassVar[tuple[DeviceLimit, ...]] = ("latency_ms", "load_ms", "memory_mb")
    name: Name | None = Field(
        default=None,
        description="what steps and reports call it, unlike every other device; without it the "
        "kind and what tells it from others",
    )
    parameters: Parameters

    @property
    def usual_name(self) -> str:
        """What it is called where nobody gave it a name."""
        kind: str = getattr(self, "kind")  # noqa: B009 of every class below
        words = [kind, *(str(self.parameters.get(key) or "") for key in self.told_apart_by)]
        plain = re.sub("[^a-z0-9]+", "-", "-".join(words).lower())
        return plain.strip("-")[:NAME_CHARACTERS_MAX].strip("-")

    @property
    def measured(self) -> tuple[DeviceLimit, ...]:
        """What it tells as it is configured."""
        return self.tells

    @model_serializer
    def _plain(self) -> dict[str, object]:
        # Without a name or a runner it is written as before there were any: digests stay the same.
        own = {name: getattr(self, name) for name in type(self).model_fields}
        parameters = own.pop("parameters")
        return {**parameters, **{name: value for name, value in own.items() if value is not None}}
