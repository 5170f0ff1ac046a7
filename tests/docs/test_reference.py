"""The reference says of every key what the code that checks it knows."""

import dataclasses
import re
from typing import Annotated, Literal

import pytest
import yaml
from pydantic import Field

from components.contract.docstrings import entries_of
from components.contract.types import Fraction, PositiveInt
from docs import reference
from pipelines.config.configuration import Config
from pipelines.config.parameters import offered
from pipelines.runs.leaderboard import Failure, Leaderboard, Sealed
from pipelines.runs.records import RunRecord


@pytest.fixture(scope="module")
def keys() -> str:
    return reference.configuration()


@pytest.fixture(scope="module")
def documents() -> str:
    return reference.documents()


def rows_of(text: str, place: str) -> dict[str, str]:
    """Keys and meanings of a section in both parts of the page."""
    found: dict[str, str] = {}
    sections = re.findall(
        rf"^### {re.escape(place)}([ :][^\n]*)?\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL
    )
    for _, section in sections:
        for key, meaning in re.findall(
            r"^\| `(\w+)` \| .+ \| .+ \| (.*) \|$", section, re.MULTILINE
        ):
            assert key not in found, f"{place}.{key} stands twice"
            found[key] = meaning
    return found


def test_every_key_is_listed_once(keys: str) -> None:
    assert set(rows_of(keys, "The whole file")) == set(Config.model_fields)


def test_the_keys_of_the_demo_come_first(keys: str) -> None:
    first = keys.partition("## Everything else")[0]
    demo = yaml.safe_load(reference.DEMO.read_text())
    assert set(rows_of(first, "The whole file")) == demo.keys()
    assert set(rows_of(first, "`teacher`")) == demo["teacher"].keys()
    assert set(rows_of(first, "`variants.NAME[].quantize`")) == {"scheme", "input_type"}
    assert "kubeflow" not in first


@pytest.mark.parametrize(
    ("title", "component"),
    [(section.title, section.component) for section in reference.SECTIONS if section.component],
)
def test_every_parameter_is_listed_and_explained(keys: str, title: str, component: str) -> None:
    place, _, note = title.partition(" ")
    kind = f" {note}" if "kind: " in note else ""  # of every kind of device there is one section
    rows = rows_of(keys, f"`{place}`{kind}")
    for parameter in offered(component).parameters:
        assert rows[parameter.name], parameter.name


@pytest.mark.parametrize("documented", [Leaderboard, RunRecord, Sealed, Failure])
def test_every_attribute_is_explained_in_its_class(documented: type) -> None:
    fields = [field.name for field in dataclasses.fields(documented)]
    assert list(entries_of(documented, "Attributes")) == fields


@pytest.mark.parametrize("document", reference.DOCUMENTS, ids=lambda document: document.title)
def test_every_key_of_a_document_is_explained(documents: str, document: reference.Document) -> None:
    explained = documents.partition(f"## {document.title}\n")[2].partition("## ")[0]
    keys = document.keys or [field.name for field in dataclasses.fields(document.classes[0])]
    assert re.findall(r"^\| `(\w+)` \| .+ \|$", explained, re.MULTILINE) == list(keys)


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


@pytest.mark.parametrize("name", reference.PAGES)
def test_the_pages_are_up_to_date(name: str) -> None:
    assert (reference.FOLDER / name).read_text() == reference.page(name), "make reference"
