"""The section `releases` of a configuration: when a release becomes the champion, and who signs."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from components.contract.types import NonNegativeFloat, PositiveInt
from pipelines.config.faults import custom
from pipelines.config.section import Section

_URL = re.compile(r"https?://[^\s?#@]+")


def _url(value: str) -> str:
    if not _URL.fullmatch(value):
        raise custom(
            f"{value!r} is no prefix of addresses that apps can download from: expected "
            "http://... or https://... without user, query or fragment",
            "write url: https://models.example.com/faces",
        )
    return value.rstrip("/")


class GateSection(Section):
    """What a release has to show against the champion on sealed images that neither has seen."""

    drop: NonNegativeFloat = Field(
        default=0.01,
        description="largest loss against the champion, upper end of its paired interval",
    )
    least_images: PositiveInt = Field(
        default=200,
        description="with fewer images that neither model's data shows outside of `sealed`, the "
        "gate cannot decide",
    )


class ReleasesSection(Section):
    """How releases become the champion, which apps download."""

    promotion: Literal["ask", "auto"] = Field(
        default="ask",
        description="`ask`: `slimline promote` does it; `auto`: the end of a run does, where the "
        "gate says yes and the release was never rolled back",
    )
    two_people: bool = Field(
        default=False,
        description="who promotes must be another person than who started the run",
    )
    gate: GateSection = Field(
        default_factory=GateSection, description="what the challenger has to show"
    )
    url: Annotated[str, AfterValidator(_url)] | None = Field(
        default=None,
        description="address below which apps find what the store holds, such as that of a web "
        "server; files in `champion.json` then have an `url`. A `gs://` store needs none, other "
        "stores have no other way",
    )
    key: str | None = Field(
        default=None,
        min_length=1,
        description="path of a private P-256 key (PEM), with which every entry of the log of "
        "releases is signed; needs the extra `sign`",
    )

    @model_validator(mode="after")
    def _two_need_asking(self) -> ReleasesSection:
        if self.two_people and self.promotion == "auto":
            raise custom(
                "promotion: auto promotes in the name of who started the run, and two_people asks "
                "for another person",
                "write promotion: ask, or two_people: false",
            )
        return self
