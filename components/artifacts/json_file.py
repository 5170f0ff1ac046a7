"""JSON files: one document in the folder of an artifact, written and read in one way."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Self, cast

from pydantic import TypeAdapter

from components.contract.digests import canonical_json
from components.contract.errors import UserError


@dataclass(frozen=True)
class JsonFile:
    """A document that lies as one JSON file in the folder of an artifact.

    A subclass is a frozen dataclass: its fields are the keys of the document.

    Attributes:
        FILE: Name of the file.
        SCHEMA: Version of the document; another one is refused.
        KIND: What a folder without the file is not, such as "evaluation".
        FIX_ABSENT: What to do then.
        FIX_VERSION: What to do when another version of slimline wrote the file.
    """

    FILE: ClassVar[str]
    SCHEMA: ClassVar[int]
    KIND: ClassVar[str]
    FIX_ABSENT: ClassVar[str]
    FIX_VERSION: ClassVar[str]

    def to_json(self) -> dict[str, Any]:
        """Return the content of the file."""
        return {"schema": self.SCHEMA, **asdict(self)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read what ``to_json`` gave."""
        return TypeAdapter(cls).validate_python(content)

    @classmethod
    def upgraded(cls, content: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what an earlier version of slimline wrote in this version's form, if it can be."""
        return content

    def write(self, path: Path) -> None:
        """Write the file into the folder ``path``."""
        path.mkdir(parents=True, exist_ok=True)
        (path / self.FILE).write_bytes(canonical_json(self.to_json()))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the file from the folder ``path``.

        Raises:
            UserError: There is none, or another version of slimline wrote it.
        """
        file = path / cls.FILE
        if not file.is_file():
            raise UserError(f"{path} is no {cls.KIND}: it holds no {cls.FILE}", cls.FIX_ABSENT)
        content = cls.upgraded(cast("dict[str, Any]", json.loads(file.read_bytes())))
        if content.get("schema") != cls.SCHEMA:
            raise UserError(f"{file} was written by another version of slimline", cls.FIX_VERSION)
        return cls.from_json(content)
