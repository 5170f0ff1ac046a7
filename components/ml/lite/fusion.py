"""Fusion: which TensorFlow operators of a Model's program ended in which operator of the file.

The converter names a tensor after all operators that it folded into the one that writes it. What it
names nowhere is followed along the program to the next one that it does name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from components.ml.lite.flatbuffer import LiteFile, Operator, Subgraph
from components.ml.lite.operators import computing, nodes_of_program

_ADDED = frozenset({"QUANTIZE", "DEQUANTIZE", "DENSIFY"})
"""Operators that convert numbers; the program has no counterpart of them."""


def fusion(path: Path, file: LiteFile) -> dict[str, Any]:
    """Say what was folded into what.

    Args:
        path: The Model.
        file: What the converter wrote, with the names of its tensors.

    Returns:
        ``operators``: those of the main subgraph in their order: name, output, and the
        operators of the program it was made ``from``, as ``OP name``; ``not_found``: operators of
        the program that no one of the file could be found for.
    """
    graph, nodes = file.subgraphs[0], nodes_of_program(path)
    owners = _owners(graph, nodes)
    return {
        "operators": [
            {
                "operator": op.name,
                "output": graph.tensors[op.outputs[0]].name,
                "from": [_told(node) for node in computing(nodes) if owners.get(node.name) == at],
            }
            for at, op in enumerate(graph.operators)
        ],
        "not_found": [_told(node) for node in computing(nodes) if node.name not in owners],
    }


def _told(node: Any) -> str:
    return f"{node.op} {node.name}"


def _owners(graph: Subgraph, nodes: Sequence[Any]) -> dict[str, int]:
    """Return by the name of a node the place of the operator that does its work."""
    known = {node.name for node in computing(nodes)}
    owners: dict[str, int] = {}
    # What is computed first is named first; later operators carry names of what they follow on.
    for at, op in enumerate(graph.operators):
        for name in _named(graph, op) if op.name not in _ADDED else ():
            if (node := _node(name, known)) is not None:
                owners.setdefault(node, at)
    readers: dict[str, list[str]] = {}
    for node in nodes:
        for given in node.input:
            readers.setdefault(given.partition(":")[0], []).append(node.name)
    last = next((at for at in reversed(range(len(graph.operators)))
                 if graph.operators[at].name not in _ADDED), None)  # fmt: skip
    named = dict(owners)
    for name in known - named.keys():
        found = _followed(name, readers, named)
        place = found if found is not None else last
        if place is not None and (found is not None or _ends(name, readers)):
            owners[name] = place
    return owners


def _named(graph: Subgraph, op: Operator) -> Iterator[str]:
    """Yield the names that the converter gave what an operator writes, and its constants."""
    for index in (*op.outputs, *op.inputs):
        tensor = graph.tensors[index] if index >= 0 else None
        if tensor is not None and (index in op.outputs or tensor.constant is not None):
            yield from filter(None, tensor.name.split(";"))


def _node(name: str, known: set[str]) -> str | None:
    """Return the node that a part of a tensor's name means; digits at its end only tell apart."""
    if name in known:
        return name
    stem = re.sub(r"\d+$", "", name)
    endings = [name[:cut] for cut in range(len(name), len(stem) - 1, -1)]
    return next((one for one in endings if one in known), None)


def _followed(
    name: str, readers: Mapping[str, Sequence[str]], named: Mapping[str, int]
) -> int | None:
    """Return the place of the next operator on the way from a node to the output."""
    todo, seen = list(readers.get(name, ())), {name}
    while todo:
        reader = todo.pop(0)
        if reader in named:
            return named[reader]
        if reader not in seen:
            seen.add(reader)
            todo.extend(readers.get(reader, ()))
    return None


def _ends(name: str, readers: Mapping[str, Sequence[str]]) -> bool:
    """Whether what a node computes leaves the program, through nodes that only pass it on."""
    return bool(readers.get(name))
