"""Uploading: results that the store alone has, brought to where pods can read them.

They are those of engines of one machine, whose step keys are the same. Each is uploaded once,
however many runs read it: it lies under its step key.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from components.contract.digests import canonical_json
from components.contract.errors import UserError
from components.contract.results import STATEMENT_FILE
from components.contract.tree import SINGLE
from pipelines.engines.kubeflow.ir.result_layout import layout_of_step
from pipelines.engines.kubeflow.results.known_results import KnownResult, metadata_of
from pipelines.runs.cache import Cache
from pipelines.runs.graph import Flow, Graph, Ref, SourceRef, Step
from pipelines.runs.step_records import read_record
from pipelines.stores.layout import tree_key
from pipelines.stores.store import Store

UPLOADED = "uploaded"
"""In the place of the run that executed a step: none of the cluster did."""

_SALT = 36


def upload(
    root: Store,
    cache: Cache,
    graph: Graph,
    name: str,
    known: Mapping[str, KnownResult],
    scratch: Path,
) -> KnownResult:
    """Make sure that the result of a step lies in the pipeline root, and return it with its place.

    Args:
        root: The pipeline root.
        cache: The store that has it, whole.
        graph: What the step is of.
        name: The step.
        known: By step the results that count, the one to upload among them.
        scratch: A folder of this machine for what is on its way.

    Raises:
        UserError: The store does not have it any more, or the bucket cannot be written.
    """
    step, found = graph.by_name[name], known[name]
    layout = layout_of_step(step)
    folder = f"{graph.name}/{UPLOADED}/{name}/{found.key[:_SALT]}"
    places = {
        port.name: port.name if port.name in layout.beside else f"{layout.name}/{port.name}"
        for port in step.interface.outputs
    }
    placed = replace(found, folder=folder, places=places)
    content = _statement(cache, step, placed, known, root.uri)
    placed = replace(placed, metadata=metadata_of(content))
    statement = f"{folder}/{layout.name}/{STATEMENT_FILE}"
    if root.stat(statement) is not None:
        return placed
    with tempfile.TemporaryDirectory(prefix="upload-", dir=scratch) as temporary:
        items: list[tuple[str, bytes | Path]] = []
        for port in step.interface.outputs:
            tree, place = cache.tree(found.outputs[port.name]), placed.key_of(port.name)
            staged = cache.stage(tree.digest, Path(temporary, port.name))
            for entry in tree.entries:
                single = entry.path == SINGLE
                key = place if single else f"{place}/{entry.path}"
                items.append((key, staged if single else staged / entry.path))
        root.put_many(items)
    root.put_if_absent(statement, canonical_json(content))
    return placed


def _statement(
    cache: Cache, step: Step, found: KnownResult, known: Mapping[str, KnownResult], root: str
) -> dict[str, Any]:
    """Return what the component stated, with addresses as a component of the cluster states them.

    Raises:
        UserError: The record of the execution is gone or damaged.
    """
    record = read_record(cache.store, found.record)
    if record is None:
        raise UserError(
            f"the store {cache.store.uri} has a result of {step.name} and no record of it",
            "run with cache: false under kubeflow",
        )
    outputs: dict[str, Any] = {}
    for port, said in record.stated["outputs"].items():
        tree = cache.tree(found.outputs[port])
        outputs[port] = {**said, **tree.to_json(), "uri": f"{root}/{found.key_of(port)}"}
    inputs: dict[str, Any] = {}
    for port, flow in step.inputs.items():
        given = found.inputs[port]
        digests = given if isinstance(given, list) else [given]
        refs = flow if isinstance(flow, tuple) else (flow,)
        stated = [
            {"digest": digest, "uri": _address(ref, digest, known, cache.store, root)}
            for ref, digest in zip(refs, digests, strict=True)
            if digest is not None
        ]
        inputs[port] = stated if isinstance(flow, tuple) else (stated or [None])[0]
    return {**record.stated, "outputs": outputs, "inputs": inputs}


def _address(
    flow: Flow, digest: str, known: Mapping[str, KnownResult], store: Store, root: str
) -> str:
    """Return where something that entered a step lies; what no bucket has lies in the store."""
    if isinstance(flow, SourceRef):
        return f"{root}/sources/{digest}"
    if isinstance(flow, Ref) and (found := known.get(flow.step)) and found.folder:
        return f"{root}/{found.key_of(flow.output)}"
    return f"{store.uri}/{tree_key(digest)}"
