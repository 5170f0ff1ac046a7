"""The user's files, listed, and what they tell of a graph before anything of it runs."""

from __future__ import annotations

import warnings
from typing import cast

from components.contract.errors import UserError
from components.contract.programs import is_program, refuse_program
from pipelines.runs.graph import Graph, Ref, Step
from pipelines.sources.erased import ErasedDataWarning
from pipelines.sources.snapshot import DATA, MODEL, Snapshot, snapshots, without


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
        _check_program(graph, model.uri)
    return sources


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


def _check_program(graph: Graph, uri: str) -> None:
    """Refuse a SavedModel where layers are asked of it, which it does not have."""
    imports = [step for step in graph.steps if step.component == "import_model"]
    for step in imports:
        refuse_program(
            uri,
            trusted=bool(step.parameters["trusted"]),
            tower=str(step.parameters["tower"]),
            freeze=cast("tuple[str, ...]", step.parameters["freeze"]),
            modules=step.inputs["modules"] is not None,
        )
    names = {step.name for step in imports}
    changing = [
        step.name
        for step in graph.steps
        if step.interface.path == "middle" and _model_of(step) in names
    ]
    if changing:
        raise UserError(
            f"{', '.join(changing)}: {uri} is a SavedModel, a program whose weights no step can "
            "change",
            "put a distill before it in the variant, or give the Keras 2 .keras or .h5 file that "
            "the SavedModel was exported from",
        )


def _model_of(step: Step) -> str | None:
    """Return the step that makes the model that a step takes."""
    flows = (step.inputs[port.name] for port in step.interface.inputs if port.kind == "Model")
    return next((flow.step for flow in flows if isinstance(flow, Ref)), None)
