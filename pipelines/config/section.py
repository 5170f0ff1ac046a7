"""What a section of any YAML file of ours is: a mapping with known keys.

Apart from the sections of a configuration, so that what reads a smaller file loads none of them.
"""

from __future__ import annotations

from typing import cast

from pydantic import BaseModel, ConfigDict, model_validator

from components.contract.errors import suggest
from pipelines.config.faults import custom


def as_tuple(value: object) -> object:
    """Take a list for the tuple that an immutable section holds."""
    return tuple(cast("list[object]", value)) if isinstance(value, list) else value


class Section(BaseModel):
    """A mapping with known keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _known(cls, value: object) -> object:
        for key in cast("dict[str, object]", value) if isinstance(value, dict) else ():
            if key not in cls.model_fields:
                what = f"there is no key {key!r}"
                raise custom(what, suggest(key, cls.model_fields), key=key)
        return cast("object", value)
