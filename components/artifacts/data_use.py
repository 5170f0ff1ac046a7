"""DataUse: how many images of a source are used, and what became of the others.

It is the key ``use`` of ``ingest.json``, the report of ingest, and goes from there into every
report that a person reads. Beside it ``left_out.jsonl`` names every image that is not used, and
``near_duplicates.jsonl`` pairs of used ones that show almost the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from components.contract.errors import UserError

REPORT: Final = "ingest.json"
LEFT_OUT: Final = "left_out.jsonl"
NEAR_DUPLICATES: Final = "near_duplicates.jsonl"


@dataclass(frozen=True)
class Loss:
    """Images that are not used for one kind of reason.

    Attributes:
        reason: A word: ``duplicate``, ``subset`` or ``limit`` of sound images, or what is wrong.
        images: How many.
        examples: Some of them, each with its own reason in brackets.
    """

    reason: str
    images: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class DataUse:
    """What became of the images of a source.

    Attributes:
        images: How many there are, files that are no images included.
        used: How many of them are in a split.
        left_out: The others, most frequent reason first.
        warnings: Sentences about what must not be overlooked.
    """

    images: int
    used: int
    left_out: tuple[Loss, ...]
    warnings: tuple[str, ...]

    @property
    def summary(self) -> str:
        """One sentence: ``36 of 360 images are used; left out: 324 layout``."""
        counts = f"{self.used:,} of {self.images:,} images are used"
        losses = ", ".join(f"{loss.images:,} {loss.reason}" for loss in self.left_out)
        return f"{counts}; left out: {losses}" if losses else counts

    @property
    def examples(self) -> tuple[tuple[str, str], ...]:
        """Each reason with its examples in words."""
        return tuple(
            (loss.reason, f"{loss.images:,}, such as {'; '.join(loss.examples)}")
            for loss in self.left_out
        )

    @classmethod
    def from_json(cls, report: Mapping[str, Any]) -> DataUse | None:
        """Read it out of the content of ``ingest.json``; None from one that does not have it."""
        return TypeAdapter(cls).validate_python(report["use"]) if "use" in report else None

    @classmethod
    def read(cls, path: Path) -> DataUse | None:
        """Read it out of the report of ingest in the folder ``path``.

        Raises:
            UserError: There is none.
        """
        file = path / REPORT
        if not file.is_file():
            raise UserError(
                f"{path} is no report of ingest: it holds no {REPORT}",
                "give the folder that ingest wrote as report",
            )
        return cls.from_json(json.loads(file.read_bytes()))
