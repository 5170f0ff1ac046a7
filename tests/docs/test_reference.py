"""The reference says of every key what the code that checks it knows."""

import dataclasses
import inspect
import re
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from components.artifacts.decision import Candidate
from components.contract.errors import UserError
from components.contract.interface import Fraction, PositiveInt
from docs import reference
from pipelines.config.loading import Config
from pipelines.config.parameters import offered
from pipelines.runs.leaderboard import ROW, Failure, Leaderboard, Row, Sealed

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def text() -> str:
    return reference.markdown()


def test_every_key_is_listed(text: str) -> None:
    keys = text.partition("### `image`")[0]
    assert re.findall(r"^\| `(\w+)` \|", keys, re.MULTILINE) == list(Config.model_fields)


@pytest.mark.parametrize(
    "component", ["ingest", "train", "distill", "prune", "quantize", "benchmark", "evaluate"]
)
def test_every_parameter_is_listed_and_said(text: str, component: str) -> None:
    section = re.search(rf"`: parameters of `{component}`\n(.*?)(\n###|\Z)", text, re.DOTALL)
    assert section
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| (.+) \| (.*) \|$", section[1], re.MULTILINE)
    assert [row[0] for row in rows] == [p.name for p in offered(component).parameters]
    assert all(row[3] for row in rows), "the docstring explains each"


@pytest.mark.parametrize("document", [Leaderboard, Sealed, Failure])
def test_every_key_of_a_document_is_explained(text: str, document: type) -> None:
    for field in dataclasses.fields(document):
        assert re.search(rf"^\| `{field.name}` \| .+ \|$", text, re.MULTILINE), field.name
    assert list(reference._entries(inspect.getdoc(document) or "", "Attributes")) == [
        field.name for field in dataclasses.fields(document)
    ]


def test_every_key_of_a_variant_is_explained(text: str) -> None:
    explained = text.partition("### `variants[]` in that document")[2].partition("###")[0]
    assert re.findall(r"^\| `(\w+)` \| .+ \|$", explained, re.MULTILINE) == list(ROW)
    fields = {field.name for document in (Candidate, Row) for field in dataclasses.fields(document)}
    assert set(ROW) <= fields


def test_every_description_is_written() -> None:
    for name, field in Config.model_fields.items():
        assert field.description, name


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (PositiveInt, "integer above 0"),
        (Fraction, "number above 0 below 1"),
        (PositiveInt | None, "integer above 0"),
        (Literal["a", "b"], "`a`, `b`"),
        (Literal["a"], "`a`"),
        (bool, "true or false"),
        (list[str], "list"),
        (Annotated[int, Field(ge=2, le=8)], "integer from 2 to 8"),
    ],
)
def test_types_in_words(annotation: object, words: str) -> None:
    assert reference._kind(annotation) == words


def test_the_reference_is_written_between_its_marks(tmp_path: Path, text: str) -> None:
    path = tmp_path / "README.md"
    path.write_text(f"before\n{reference.BEGIN}\nold\n{reference.END}\nafter\n")
    assert reference.update(path)
    assert path.read_text() == f"before\n{reference.BEGIN}\n\n{text}\n{reference.END}\nafter\n"
    assert not reference.update(path), "up to date"
    path.write_text("no marks")
    with pytest.raises(UserError, match="does not hold"):
        reference.update(path)


def test_the_readme_is_up_to_date(text: str) -> None:
    path = ROOT / "README.md"
    if not path.exists():
        pytest.fail("there is no README.md")
    assert f"{reference.BEGIN}\n\n{text}\n{reference.END}" in path.read_text(), (
        "python -m docs.reference README.md"
    )
