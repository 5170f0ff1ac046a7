"""The reference in Markdown: configuration and JSON documents, made from the code itself.

``python -m docs.reference`` writes it into ``configuration.md`` and ``documents.md`` beside this
file, between two marks; what stands outside of them is written by hand.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import BaseModel, TypeAdapter

from components import COMPONENTS
from components.artifacts.decision import Candidate, Decision
from components.contract.docstrings import entries_of, first_line
from components.contract.interface import interface_of
from pipelines.cli.device_documents import CleanedDevice, ListedDevice
from pipelines.cli.documents import (
    LISTED_RUN,
    Collected,
    Explained,
    ExplainedCluster,
    ExplainedStep,
    ExportedFile,
    ExportedRelease,
    ImagesOfRun,
    RebuiltIndex,
    Verified,
    WaitingCollection,
)
from pipelines.cli.release_documents import ChangedChampion, ListedLog, ListedReleases
from pipelines.cli.trigger_documents import (
    LaunchedByHand,
    ListedLaunch,
    ListedTrigger,
    ListedTriggers,
    NativeSchedule,
    TickedTrigger,
)
from pipelines.config.budgets import BudgetSection, DeviceBudgetSection
from pipelines.config.configuration import Config
from pipelines.config.devices import KINDS
from pipelines.config.kubeflow import Kubeflow, Resources, Secret, Toleration
from pipelines.config.kubeflow_auth import Auth
from pipelines.config.kubeflow_devices import DevicesHost
from pipelines.config.kubeflow_workspace import Workspace
from pipelines.config.parameters import offered, shared_keys, steps_of_paths
from pipelines.config.releases import GateSection, ReleasesSection
from pipelines.config.sections import (
    AboutSection,
    AnswersTeacher,
    AutoSection,
    ImageShape,
    ImportedTeacher,
    Limit,
    Normalization,
    TrainedTeacher,
)
from pipelines.config.select_section import SelectSection
from pipelines.config.vertex import Vertex
from pipelines.lineage.affected import AffectedRelease, Answer
from pipelines.lineage.comparing.metrics import Figure, MetricChanges
from pipelines.lineage.comparing.samples import SampleChanges
from pipelines.lineage.comparing.steps import StepChange, StepChanges
from pipelines.lineage.comparing.why import ComparedRun, WhyChanged
from pipelines.lineage.proof.links import RebuiltStep
from pipelines.lineage.sightings import FoundImage
from pipelines.lineage.tracing.trace import (
    Trace,
    TracedDataset,
    TracedRelease,
    TraceEdge,
    TraceNode,
)
from pipelines.releases.gate_finding import GateFinding
from pipelines.releases.states import ReleaseState
from pipelines.runs import leaderboard
from pipelines.runs.leaderboard import Failure, Leaderboard, Sealed, VariantRow
from pipelines.runs.records import Problem, RunRecord
from pipelines.runs.releases.release_log_entries import LogEntry
from pipelines.runs.removal.erasures import Concerned, Erasure
from pipelines.triggers.notifying import Notice
from pipelines.triggers.ticks import Tick

FOLDER = Path(__file__).parent
BEGIN, END = "<!-- reference: begin -->", "<!-- reference: end -->"
DEMO = FOLDER.parent / "pipelines" / "examples" / "digits.yaml"


@dataclass(frozen=True)
class Section:
    """One mapping of a configuration.

    Attributes:
        title: Its heading, the place in the YAML file; a note in brackets tells two forms apart.
        model: Its own keys, or None.
        component: The component whose parameters it also takes, or None.
    """

    title: str
    model: type[BaseModel] | None = None
    component: str | None = None

    @property
    def place(self) -> str:
        """The place alone, without the note."""
        return self.title.partition(" (")[0]


@dataclass(frozen=True)
class Row:
    """One line of a table of keys."""

    key: str
    kind: str
    default: str
    text: str


_TOP = "the whole file"
SECTIONS: Sequence[Section] = (
    Section(_TOP, Config),
    Section("image", ImageShape),
    Section("split", component="ingest"),
    Section("teacher (trained here)", TrainedTeacher, "train"),
    Section("teacher (your own model)", ImportedTeacher),
    Section("teacher (answers of any framework)", AnswersTeacher),
    Section("teacher.normalization", Normalization),
    *(Section(f"variants.NAME[].{name}", component=name) for name in steps_of_paths()),
    Section("about", AboutSection),
    Section("auto", AutoSection),
    *(Section(f"devices[] (kind: {kind})", each, each.component) for kind, each in KINDS.items()),
    Section("budgets", BudgetSection),
    Section("budgets.devices.NAME", DeviceBudgetSection),
    Section("evaluate", component="evaluate"),
    Section("convert", component="convert"),
    Section("search", component="search"),
    Section("select", SelectSection, "select"),
    Section("limits.COMPONENT", Limit),
    Section("releases", ReleasesSection),
    Section("releases.gate", GateSection),
    Section("kubeflow", Kubeflow),
    Section("kubeflow.devices", DevicesHost),
    Section("kubeflow.auth", Auth),
    Section("kubeflow.workspace", Workspace),
    Section("kubeflow.vertex", Vertex),
    Section("kubeflow.resources.COMPONENT", Resources),
    Section("kubeflow.resources.COMPONENT.tolerations[]", Toleration),
    Section("kubeflow.secrets[]", Secret),
)


@dataclass(frozen=True)
class Document:
    """One table of keys of a JSON document.

    Attributes:
        title: Its heading.
        classes: Whose attributes the keys are; a later one's text counts.
        keys: Which of them, in this order; all where there is one class alone.
    """

    title: str
    classes: tuple[type[object], ...]
    keys: Sequence[str] | None = None


def keys_in(documented: type[Any]) -> Sequence[str]:
    """Return the attributes of a class whose properties are no keys of the document."""
    return tuple(field.name for field in fields(documented))


DOCUMENTS: Sequence[Document] = (
    Document(
        "`slimline show --json` and `slimline run --json`",
        (RunRecord, Decision, Leaderboard),
        leaderboard.DOCUMENT,
    ),
    Document("`variants[]` of that document", (Candidate, VariantRow), leaderboard.ROW),
    Document("`sealed` of that document", (Sealed,)),
    Document("`failures[]` of that document", (Failure,)),
    Document("`slimline explain --json`", (Explained,)),
    Document("`steps[]` of that document", (ExplainedStep,)),
    Document("`cluster` of that document", (ExplainedCluster,)),
    Document("`slimline data --json`", (ImagesOfRun,)),
    Document("`slimline export --json`", (ExportedRelease,)),
    Document(
        "`slimline export --format openlineage --json`, and of the other formats", (ExportedFile,)
    ),
    Document("`slimline verify --json`", (Verified,)),
    Document("`rebuilt[]` of that document", (RebuiltStep,)),
    Document("`slimline releases --json`", (ListedReleases,)),
    Document("`slimline releases --json`: `releases[]`", (ReleaseState,)),
    Document("`logs[]` of that document", (ListedLog,)),
    Document("`logs[].entries[]` of that document", (LogEntry,)),
    Document("`slimline promote --json`, `slimline rollback --json`", (ChangedChampion,)),
    Document("`gate` of that document", (GateFinding,)),
    Document(
        "`slimline triggers list --json`, and of `schedule add`, `watch add`, `triggers show`",
        (ListedTriggers,),
    ),
    Document("`slimline triggers list --json`: `triggers[]`", (ListedTrigger,)),
    Document("`launches[]` of that document", (ListedLaunch,)),
    Document("`native[]` of `slimline triggers list --engine kubeflow --json`", (NativeSchedule,)),
    Document(
        "`slimline tick --json`: `triggers[]`, `slimline triggers test --json`", (TickedTrigger,)
    ),
    Document(
        "`ticks[]` of that document, and of `slimline triggers history --json`",
        (Tick,),
        keys_in(Tick),
    ),
    Document("`slimline triggers run --json`, `slimline triggers retry --json`", (LaunchedByHand,)),
    Document("what `slimline tick --notify` gives to a command", (Notice,)),
    Document("`slimline devices --json`: `devices[]`", (ListedDevice,)),
    Document("`slimline devices clean --json`", (CleanedDevice,)),
    Document("`slimline gc --json`", (Collected,)),
    Document("`waiting[]` of that document", (WaitingCollection,)),
    Document("`slimline erase --json`: `erasures[]`, and `erasures/<id>.json`", (Erasure,)),
    Document("`erasures[].releases[]` of that document", (Concerned,)),
    Document("`slimline lineage --json`", (Trace,)),
    Document("`nodes[]` of that document", (TraceNode,)),
    Document("`edges[]` of that document", (TraceEdge,)),
    Document("`slimline lineage --json`: `releases[]`", (TracedRelease,)),
    Document("`datasets[]` of that document", (TracedDataset,)),
    Document("`slimline affected --json`", (Answer,), keys_in(Answer)),
    Document("`slimline affected --json`: `releases[]`", (AffectedRelease,)),
    Document("`found[]` of that document", (FoundImage,)),
    Document("`slimline index rebuild --json`", (RebuiltIndex,)),
    Document("`slimline why-changed --json`", (WhyChanged,)),
    Document("`before` and `now` of that document", (ComparedRun,)),
    Document("`samples` of that document", (SampleChanges,), keys_in(SampleChanges)),
    Document("`steps` of that document", (StepChanges,)),
    Document("`steps.changed[]` of that document", (StepChange,), keys_in(StepChange)),
    Document("`metrics` of that document", (MetricChanges,)),
    Document("`metrics.figures[]` of that document", (Figure,)),
    Document("`slimline runs --json`: `runs[]`", (RunRecord,), LISTED_RUN),
    Document("`slimline runs --json`: `problems[]`", (Problem,), ("key", "what", "fix")),
)
_KINDS = {
    "array": "list", "boolean": "true or false", "integer": "integer", "null": "null",
    "number": "number", "object": "mapping", "string": "text",
}  # fmt: skip
_BOUNDS = {"exclusiveMinimum": "above", "minimum": "from", "exclusiveMaximum": "below",
           "maximum": "to"}  # fmt: skip
_LARGEST = 2**31 - 1
"""Bounds at or beyond this are there for the sake of JSON, not of people."""


def configuration() -> str:
    """Return the keys of a configuration: those of the demo first, all others below."""
    demo = keys_of(yaml.safe_load(DEMO.read_text()))
    first: list[str] = []
    others: list[str] = []
    for section in SECTIONS:
        rows = list(_rows(section))
        used = [row for row in rows if row.key in demo[section.title]]
        rest = [row for row in rows if row not in used]
        if used:
            first += _titled(_quoted(section.place), section, used)
        if rest:
            _, bracket, note = section.title.partition(" (")
            title = f"{_quoted(section.place)}{bracket}{note}{': other keys' if used else ''}"
            others += _titled(title, section, rest)
    return "\n".join(["## What the demo uses", "", *first, "## Everything else", "", *others])


def documents() -> str:
    """Return what commands print with ``--json``, key by key."""
    lines: list[str] = []
    for document in DOCUMENTS:
        lines += [f"## {document.title}", "", *_document_table(document), ""]
    return "\n".join(lines)


PAGES: Mapping[str, Callable[[], str]] = {
    "configuration.md": configuration,
    "documents.md": documents,
}


def keys_of(demo: Mapping[str, Any]) -> Mapping[str, set[str]]:
    """Return which keys of each section a configuration gives, by the section's title."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    found[_TOP] = set(demo)
    for section in SECTIONS:
        value = demo.get(section.place)
        if isinstance(value, dict) and (section.model is None or "model" not in value):
            found[section.title] = set(cast("dict[str, Any]", value))
    for path in demo["variants"].values():
        for step in path:
            ((component, parameters),) = step.items()
            found[f"variants.NAME[].{component}"] |= set(parameters)
    return found


def _quoted(place: str) -> str:
    return "The whole file" if place == _TOP else f"`{place}`"


def _titled(title: str, section: Section, rows: Sequence[Row]) -> Iterator[str]:
    yield from (f"### {title}", "")
    if section.model and section.model is not Config:
        yield from (f"{_first_sentence(section.model)}.", "")
    elif section.component:
        summary = offered(section.component).summary
        yield from (f"Parameters of `{section.component}`: {summary[0].lower()}{summary[1:]}", "")
    yield from ("| key | value | default | meaning |", "|---|---|---|---|")
    for row in rows:
        cells = (_cell(text) for text in (row.kind, row.default, row.text))
        yield f"| `{row.key}` | {' | '.join(cells)} |"
    yield ""
    if section.model is Limit:
        yield from _limit_table()


def _limit_table() -> Iterator[str]:
    """Say what the steps of every component may take where a configuration does not limit them."""
    yield from ("| component | `memory_gb` | `minutes` |", "|---|---|---|")
    for name in COMPONENTS:
        interface = interface_of(name)
        yield f"| `{name}` | {interface.memory_gb:g} | {interface.time_limit_s / 60:g} |"
    yield ""


def _rows(section: Section) -> Iterator[Row]:
    if section.model:
        yield from _model_rows(section.model)
    if section.component:
        yield from _component_rows(section.component)


def _first_sentence(model: type[BaseModel]) -> str:
    return first_line(model).rstrip(".")


def _model_rows(model: type[BaseModel]) -> Iterator[Row]:
    for name, field in model.model_fields.items():
        if name == "parameters":
            continue
        default = field.get_default(call_default_factory=True)
        shown = "required" if field.is_required() else _value(default)
        yield Row(name, _kind(field.rebuild_annotation()), shown, field.description or "")


def _component_rows(component: str) -> Iterator[Row]:
    interface = offered(component)
    common = shared_keys(component)
    for parameter in interface.parameters:
        default = "required" if parameter.required else _value(parameter.default)
        default = f"top-level `{parameter.name}`" if parameter.name in common else default
        yield Row(parameter.name, _kind(parameter.annotation), default, parameter.help)


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


def _document_table(document: Document) -> Iterator[str]:
    """Explain the keys of a document."""
    texts: dict[str, str] = {}
    for each in document.classes:
        texts |= entries_of(each, "Attributes") | _properties(each)
    yield from ("| key | meaning |", "|---|---|")
    for name in document.keys or texts:
        yield f"| `{name}` | {_cell(texts[name]).replace('None', 'null')} |"


def _properties(documented: type[object]) -> dict[str, str]:
    """Return what the properties of a class are, by name."""
    return {
        name: first_line(item)
        for name, item in vars(documented).items()
        if isinstance(item, property)
    }


def page(name: str) -> str:
    """Return a page as it should be: its own text with what lies between the marks made anew."""
    text = (FOLDER / name).read_text()
    before, after = text[: text.index(BEGIN)], text[text.index(END) :]
    return f"{before}{BEGIN}\n\n{PAGES[name]()}\n{after}"


def main() -> None:
    """Write both pages and say which of them changed."""
    for name in PAGES:
        path, text = FOLDER / name, page(name)
        changed = path.read_text() != text
        path.write_text(text)
        sys.stdout.write(f"docs/{name}: {'written' if changed else 'already up to date'}\n")


if __name__ == "__main__":
    main()
