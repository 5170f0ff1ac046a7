"""The user's files, listed, and what they tell of a graph before anything of it runs."""

from __future__ import annotations

import json
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from components.contract.errors import UserError
from components.contract.programs import is_program, refuse_program
from pipelines.runs.graph import Graph, Ref, Step
from pipelines.sources.erased import ErasedDataWarning
from pipelines.sources.snapshot import DATA, MODEL, MODULES, Snapshot, snapshots, without

_CONFIG = "config.json"
_MOST_CONFIG_BYTES = 64 << 20
_KNOWN_BY_NAME = "l2_normalize"
"""A function that old files name in a Lambda, and that import_model has a layer for."""


def listed_sources(
    graph: Graph, excluded: tuple[str, ...] = (), folders: frozenset[str] | None = None
) -> dict[str, Snapshot]:
    """List and hash the files that a graph starts from.

    Args:
        graph: Which graph.
        excluded: Digests of what must not be used of the data: ``read_exclusions`` of the store.
        folders: Only these folders of the data, see ``snapshot``; None is all.

    Raises:
        UserError: They cannot be read, or a step cannot do what it is to do with them.
    """
    sources = snapshots(graph.sources, folders)
    if DATA in sources:
        sources[DATA] = _obeying(sources[DATA], excluded)
    model = sources.get(MODEL)
    if model and is_program(file.name for file in model.files):
        _check_saved_model(graph, model.uri)
        _check_uses(graph, f"{model.uri} is a SavedModel, a program", _OF_SAVED_MODEL)
    elif model and MODULES in sources:
        _check_uses(graph, f"{model.uri} with layers of your own becomes a program", _OF_MODULES)
    elif model and (code := _lambda_in(model, _tower(graph))):
        what = f"{model.uri} becomes a program by its Lambda {code!r}"
        _check_uses(graph, what, _OF_LAMBDA)
    return sources


_OF_SAVED_MODEL = "give the Keras 2 .keras or .h5 file that the SavedModel was exported from"
_OF_MODULES = "leave modules away where the model has no layer of your own"
_OF_LAMBDA = "put a layer without code in its place and save the model again"


def _obeying(data: Snapshot, excluded: tuple[str, ...]) -> Snapshot:
    """Leave out what must not be used, and say so: files are not even named to ingest."""
    obeying = without(data, excluded)
    if left_out := len(data.files) - len(obeying.files):
        files = "1 file that was" if left_out == 1 else f"{left_out} files that were"
        warnings.warn(
            f"{data.uri} still holds {files} erased from this store: left out; delete there, too",
            ErasedDataWarning,
            stacklevel=3,
        )
    return obeying


def _check_saved_model(graph: Graph, uri: str) -> None:
    """Refuse a SavedModel where its layers are told apart, which it does not have."""
    for step in _imports(graph):
        refuse_program(
            uri,
            trusted=bool(step.parameters["trusted"]),
            tower=str(step.parameters["tower"]),
            freeze=cast("tuple[str, ...]", step.parameters["freeze"]),
            modules=step.inputs["modules"] is not None,
        )


def _check_uses(graph: Graph, program: str, otherwise: str) -> None:
    """Refuse steps that need the layers of the teacher, where it can be run and nothing else.

    Args:
        graph: Which graph.
        program: Says that the teacher is one.
        otherwise: What the user can do about that.
    """
    names = {step.name for step in _imports(graph)}
    changing = [
        step.name for step in graph.steps if _changes_weights(step) and _model_of(step) in names
    ]
    if changing:
        raise UserError(
            f"{', '.join(changing)}: {program} whose weights no step can change",
            f"put a distill before it in the variant, or {otherwise}",
        )
    for step in graph.steps:
        teacher = step.inputs.get("teacher")
        asked = [key for key in ("hint_weight", "attention_weight") if step.parameters.get(key)]
        if asked and isinstance(teacher, Ref) and teacher.step in names:
            keys = " and ".join(asked)
            raise UserError(
                f"{step.name}: {keys}: {program}, and nothing inside of it can be learned",
                f"remove {keys}, or {otherwise}",
            )


def _imports(graph: Graph) -> list[Step]:
    return [step for step in graph.steps if step.component == "import_model"]


def _tower(graph: Graph) -> str:
    """Return the model inside of the teacher's file that is asked for; empty for the whole."""
    return next((str(step.parameters["tower"]) for step in _imports(graph)), "")


def _changes_weights(step: Step) -> bool:
    """Whether a step of a path needs a network; quantize after training needs none."""
    return step.interface.path == "middle" or step.component == "quantize_aware"


def _lambda_in(model: Snapshot, tower: str) -> str | None:
    """Return the name of a Lambda layer in a Keras file of this machine; None where none is told.

    The file is read as JSON, and no further: import_model says what is wrong with others.

    Args:
        model: Which file.
        tower: Name of the model inside of it that is asked for; what lies outside is left out.
    """
    path = Path(model.place.base)  # of one file, itself
    if not model.place.single or not zipfile.is_zipfile(path):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(_CONFIG).file_size > _MOST_CONFIG_BYTES:
                return None
            document = json.loads(archive.read(_CONFIG))
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, OSError, EOFError, RuntimeError):
        return None
    parts = _named(document, tower) if tower else [document]
    return next((code for part in parts for code in _lambdas(part)), None)


def _named(value: Any, name: str) -> Iterator[Any]:
    """Yield the layers of this name in a parsed configuration."""
    if isinstance(value, Mapping):
        found = cast("Mapping[str, Any]", value)
        config = found.get("config")
        if isinstance(config, Mapping) and cast("Mapping[str, Any]", config).get("name") == name:
            yield found
        for part in found.values():
            yield from _named(part, name)
    elif isinstance(value, list):
        for part in cast("list[Any]", value):
            yield from _named(part, name)


def _lambdas(value: Any) -> Iterator[str]:
    """Yield the names of Lambda layers anywhere in a parsed configuration."""
    if isinstance(value, Mapping):
        found = cast("Mapping[str, Any]", value)
        config = found.get("config")
        if found.get("class_name") == "Lambda" and isinstance(config, Mapping):
            settings = cast("Mapping[str, Any]", config)
            if settings.get("function") != _KNOWN_BY_NAME:
                yield str(settings.get("name"))
        for part in found.values():
            yield from _lambdas(part)
    elif isinstance(value, list):
        for part in cast("list[Any]", value):
            yield from _lambdas(part)


def _model_of(step: Step) -> str | None:
    """Return the step that makes the model that a step takes."""
    flows = (step.inputs[port.name] for port in step.interface.inputs if port.kind == "Model")
    return next((flow.step for flow in flows if isinstance(flow, Ref)), None)
