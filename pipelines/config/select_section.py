"""The section ``select``: how the winner is chosen, and whether each device has its own."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_serializer

from pipelines.config.sections import Parameters, WithParameters


class SelectSection(WithParameters):
    """The choice; all other keys are parameters of `select`."""

    component = "select"
    per: Literal["device"] | None = Field(
        default=None,
        description="`device`: each device has a choice of its own, by what was measured on it, "
        "and the release holds a file for each: [a file for each device]"
        "(devices.md#a-file-for-each-device)",
    )
    parameters: Parameters

    @model_serializer
    def _plain(self) -> dict[str, object]:
        # Left away where it is not asked for, so that what was configured before keeps its digest.
        own: dict[str, object] = {} if self.per is None else {"per": self.per}
        return {**self.parameters, **own}
