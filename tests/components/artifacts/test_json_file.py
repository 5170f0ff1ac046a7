"""One base for every JSON document in an artifact's folder."""

import json
from dataclasses import dataclass
from typing import ClassVar

import pytest

from components.artifacts.json_file import JsonFile
from components.contract.errors import UserError


@dataclass(frozen=True)
class Note(JsonFile):
    """A document for this test."""

    FILE: ClassVar[str] = "note.json"
    SCHEMA: ClassVar[int] = 2
    KIND: ClassVar[str] = "note"
    FIX_ABSENT: ClassVar[str] = "give a folder with a note"
    FIX_VERSION: ClassVar[str] = "write the note again"

    words: tuple[str, ...]
    weight: float


def test_a_document_reads_back_with_its_types(tmp_path):
    Note(("a", "b"), 1.0).write(tmp_path / "made")
    assert (
        tmp_path / "made/note.json"
    ).read_bytes() == b'{"schema":2,"weight":1.0,"words":["a","b"]}'
    assert Note.read(tmp_path / "made") == Note(("a", "b"), 1.0)


def test_a_folder_without_it_and_another_version_are_the_users_faults(tmp_path):
    with pytest.raises(UserError, match=r"is no note: it holds no note\.json") as caught:
        Note.read(tmp_path)
    assert caught.value.fix == "give a folder with a note"
    (tmp_path / "note.json").write_text(json.dumps({"schema": 3}))
    with pytest.raises(UserError, match="written by another version of slimline") as caught:
        Note.read(tmp_path)
    assert caught.value.fix == "write the note again"
