"""Report material: what the report of a run shows beside the decision, as ``report.json`` keeps it.

``select`` draws from answers that ``publish`` does not read, so it leaves the drawings beside its
decision. ``publish`` makes the report again with the verdict of the sealed images at its top.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from components.artifacts.json_file import JsonFile
from components.artifacts.making import Making
from components.artifacts.search_front import SearchFront


@dataclass(frozen=True)
class DrawnPicture:
    """A picture with its heading.

    Attributes:
        title: Heading.
        note: One sentence below it.
        svg: The picture, of which every text is escaped.
    """

    title: str
    note: str
    svg: str


@dataclass(frozen=True)
class ReportMaterial(JsonFile):
    """The content of ``report.json``.

    Attributes:
        answers: Pictures of what the reference and the winner, or the nearest miss, answer.
        makings: How each variant's file came about, by name; without those that are known by
            answers alone or were converted by an earlier version.
        search: What the architecture search of the run found; None where there was none.
    """

    FILE: ClassVar[str] = "report.json"
    SCHEMA: ClassVar[int] = 1
    KIND: ClassVar[str] = "material of a report"
    FIX_ABSENT: ClassVar[str] = "run select again"
    FIX_VERSION: ClassVar[str] = "run select again"

    answers: tuple[DrawnPicture, ...]
    makings: Mapping[str, Making]
    search: SearchFront | None = None
