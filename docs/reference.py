"""The reference in Markdown: configuration and JSON documents, made from the code itself.

``python -m docs.reference README.md`` writes it between the two marks in that file.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, TypeAdapter

from components.artifacts.decision import Candidate
from components.contract.errors import UserError
from components.contract.interface import function_of
from pipelines.cli.tables import Explained, ExplainedStep, ListedRun
from pipelines.config.kubeflow import Kubeflow, Resources, Secret, Toleration
from pipelines.config.loading import Config
from pipelines.config.parameters import component_name, offered
from pipelines.config.sections import (
    EDGES,
    Budgets,
    HostDevice,
    Image,
    ImportedTeacher,
    Limit,
    Normalization,
    TrainedTeacher,
)
from pipelines.runs.leaderboard import ROW, Failure, Leaderboard, Row, Sealed

BEGIN, END = "<!-- reference: begin -->", "<!-- reference: end -->"

_SECTIONS: Mapping[str, tuple[type[BaseModel], ...]] = {
    "image": (Image,),
    "teacher": (TrainedTeacher, ImportedTeacher, Normalization),
    "devices[]": (HostDevice,),
    "budgets": (Budgets,),
    "limits.<component>": (Limit,),
    "kubeflow": (Kubeflow,),
    "kubeflow.resources.<component>": (Resources,),
    "kubeflow.resources.<component>.tolerations[]": (Toleration,),
    "kubeflow.secrets[]": (Secret,),
}
_COMPONENTS: Mapping[str, str] = {
    "split": "ingest",
    "teacher": "train",
    **{f"variants.<name>[].{edge}": edge for edge in EDGES},
    "devices[]": "benchmark",
    "evaluate": "evaluate",
    "select": "select",
}
_DOCUMENTS: Mapping[str, tuple[type[object], ...]] = {
    "JSON of `slimline show --json` and `slimline run --json`": (Leaderboard,),
    "`variants[]` in that document": (Candidate, Row),
    "`sealed` in that document": (Sealed,),
    "`failures[]` in that document": (Failure,),
    "JSON of `slimline explain --json`": (Explained,),
    "`steps[]` in that document": (ExplainedStep,),
    "JSON of `slimline runs --json`: `runs[]`": (ListedRun,),
}
_KINDS = {
    "array": "list", "boolean": "true or false", "integer": "integer", "null": "null",
    "number": "number", "object": "mapping", "string": "text",
}  # fmt: skip
_BOUNDS = {"exclusiveMinimum": "above", "minimum": "from", "exclusiveMaximum": "below",
           "maximum": "to"}  # fmt: skip
_LARGEST = 2**31 - 1
"""Bounds at or beyond this are there for the sake of JSON, not of people."""


def markdown() -> str:
    """Return the whole reference."""
    lines = ["### Keys", "", *_model_table(Config), ""]
    for place, models in _SECTIONS.items():
        for model in models:
            lines += [f"### `{place}`: {_first_sentence(model)}", "", *_model_table(model), ""]
    for place, component in _COMPONENTS.items():
        summary = offered(component).summary.rstrip(".")
        lines += [f"### `{place}`: parameters of `{component}`", "", f"{summary}.", ""]
        lines += [*_component_table(component), ""]
    for place, documents in _DOCUMENTS.items():
        lines += [f"### {place}", "", *_document_table(documents), ""]
    return "\n".join(lines)


def update(path: Path) -> bool:
    """Write the reference between its marks in a file.

    Returns:
        True when that changed the file.

    Raises:
        UserError: The file lacks one of the marks.
    """
    text = path.read_text()
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise UserError(f"{path} does not hold {BEGIN} and {END} once", "add the two lines")
    before, after = text[: text.index(BEGIN)], text[text.index(END) :]
    fresh = f"{before}{BEGIN}\n\n{markdown()}\n{after}"
    if fresh == text:
        return False
    path.write_text(fresh)
    return True


def _first_sentence(model: type[BaseModel]) -> str:
    text = (inspect.getdoc(model) or "").partition("\n")[0].rstrip(".")
    return text[0].lower() + text[1:]


def _model_table(model: type[BaseModel]) -> Iterator[str]:
    yield from _head()
    for name, field in model.model_fields.items():
        if name == "parameters":
            continue
        default = field.get_default(call_default_factory=True)
        shown = "required" if field.is_required() else _value(default)
        yield _row(name, _kind(field.rebuild_annotation()), shown, field.description or "")


def _component_table(component: str) -> Iterator[str]:
    said = arguments_of(component)
    interface = offered(component)
    common = ("seed", "threads") if interface.image == "train" else ("seed",)
    yield from _head()
    for parameter in interface.parameters:
        default = "required" if parameter.required else _value(parameter.default)
        default = f"top-level `{parameter.name}`" if parameter.name in common else default
        text = said.get(component_name(component, parameter.name), "")
        yield _row(parameter.name, _kind(parameter.annotation), default, text)


def _head() -> tuple[str, str]:
    return "| key | value | default | meaning |", "|---|---|---|---|"


def _row(name: str, kind: str, default: str, text: str) -> str:
    return f"| `{name}` | {_cell(kind)} | {_cell(default)} | {_cell(text)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("``", "`")


def _value(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, BaseModel):
        return "see below"
    if isinstance(value, tuple) and value:
        return "`[host]`"
    if isinstance(value, dict | tuple):
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _kind(annotation: Any) -> str:
    """Say in words what an annotation accepts."""
    return _words(TypeAdapter(annotation).json_schema(mode="validation"))


def _words(schema: Mapping[str, Any]) -> str:
    for union in ("anyOf", "oneOf"):
        if union in schema:
            words = (_words(part) for part in cast("list[dict[str, Any]]", schema[union]))
            return " or ".join(dict.fromkeys(word for word in words if word != "null"))
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "$ref" in schema:
        return "mapping"
    bounds = [
        f"{word} {schema[bound]:g}"
        for bound, word in _BOUNDS.items()
        if bound in schema and schema[bound] < _LARGEST
    ]
    return " ".join([_KINDS[schema["type"]], *bounds])


def arguments_of(component: str) -> dict[str, str]:
    """Return what the docstring of a component says of each of its arguments."""
    return _entries(inspect.getdoc(function_of(component)) or "", "Args")


def _entries(docstring: str, section: str) -> dict[str, str]:
    """Return names and texts of one section of a Google-style docstring."""
    found = re.search(rf"^{section}:\n((?:[ ].*\n|\n)*)", docstring + "\n", re.MULTILINE)
    said: dict[str, str] = {}
    name = ""
    for line in found[1].splitlines() if found else ():
        if entry := re.match(r" {4}(\w+): (.*)", line):
            name = entry[1]
            said[name] = entry[2]
        elif name and line.strip():
            said[name] += f" {line.strip()}"
    return said


def _document_table(documents: tuple[type[object], ...]) -> Iterator[str]:
    """Explain the keys of a document that is made of these; those of a row are in ``ROW``."""
    texts: dict[str, str] = {}
    for document in documents:
        texts |= _entries(inspect.getdoc(document) or "", "Attributes")
    yield from ("| key | meaning |", "|---|---|")
    for name in ROW if Row in documents else texts:
        yield f"| `{name}` | {_cell(texts[name]).replace('None', 'null')} |"


def main(argv: list[str]) -> int:
    """Update one file and say whether it changed."""
    changed = update(Path(argv[0]))
    sys.stdout.write(f"{argv[0]}: {'written' if changed else 'already up to date'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
