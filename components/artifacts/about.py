"""About: who answers for a release and what it is for, in the words of the configuration.

A part of publish's signature; nothing before it knows of it, so that to write it down retrains
nothing. It loads no numpy.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, TypeAlias

from pydantic import Field

from components.contract.types import FromGraph

Line: TypeAlias = Annotated[
    str, Field(min_length=1, max_length=1000, pattern=r"^[^\x00-\x1f\x7f]*$")
]


@dataclass(frozen=True, kw_only=True)
class About:
    """Who answers for a release and what it is for.

    Attributes:
        owner: Person or organization that answers for it.
        contact: Where questions go, such as an address of mail.
        purpose: What it is meant to be used for.
        out_of_scope: What it must not be used for.
        legal_basis: Why the images may be used, such as a consent or a contract.
        data_origin: Where the images are from.
        data_licence: Under which terms the images may be used.
        licence: Under which terms the released model may be used.
    """

    owner: Annotated[Line | None, FromGraph()] = None
    contact: Annotated[Line | None, FromGraph()] = None
    purpose: Annotated[Line | None, FromGraph()] = None
    out_of_scope: Annotated[Line | None, FromGraph()] = None
    legal_basis: Annotated[Line | None, FromGraph()] = None
    data_origin: Annotated[Line | None, FromGraph()] = None
    data_licence: Annotated[Line | None, FromGraph()] = None
    licence: Annotated[Line | None, FromGraph()] = None

    def to_json(self) -> dict[str, str]:
        """Return what is said, by key; empty where nothing is."""
        return {key: value for key, value in asdict(self).items() if value is not None}
