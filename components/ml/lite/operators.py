"""Operators and weights: what a Model's program runs, and what is left of it in the file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tensorflow.core.protobuf import saved_model_pb2

from components.ml.formats import model_folder
from components.ml.lite.flatbuffer import LiteFile

_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
_BOOKKEEPING = frozenset({"Const", "Identity", "NoOp", "Placeholder", "ReadVariableOp"})


def nodes_of_program(path: Path) -> list[Any]:
    """Return the nodes that the Model's signature runs, those included that carry values around.

    Returns:
        ``NodeDef`` of every function that is called, in the order they stand in it.
    """
    program = saved_model_pb2.SavedModel()
    program.ParseFromString((path / model_folder.PROGRAM / "saved_model.pb").read_bytes())
    content = program.meta_graphs[0]
    (output,) = content.signature_def[model_folder.SIGNATURE].outputs.values()
    entry = output.name.partition(":")[0]
    functions = {f.signature.name: f.node_def for f in content.graph_def.library.function}
    todo = [node for node in content.graph_def.node if node.name == entry]
    found: list[Any] = []
    while todo:
        node = todo.pop()
        if node.op in _CALLS:
            todo.extend(reversed(functions[node.attr["f"].func.name]))
        else:
            found.append(node)
    return found


def computing(nodes: Sequence[Any]) -> list[Any]:
    """Return the nodes that compute something, and do not only carry values around."""
    return [node for node in nodes if node.op not in _BOOKKEEPING]


def operators_of_program(path: Path) -> dict[str, int]:
    """Count the TensorFlow operators that the Model's signature runs, before anything is fused.

    Those that only carry values around do not count.
    """
    return dict(sorted(Counter(node.op for node in computing(nodes_of_program(path))).items()))


def weights_by_type(file: LiteFile) -> dict[str, dict[str, int]]:
    """Return what the weights of each type in the file are.

    Returns:
        By type the count of tensors, their numbers, zeros and bytes, and the most different
        numbers that one tensor and one output channel hold.
    """
    found: dict[str, dict[str, int]] = {}
    for tensor in file.weights:
        row = found.setdefault(
            tensor.dtype,
            {"tensors": 0, "elements": 0, "zeros": 0, "size_bytes": 0, "sparse_tensors": 0,
             "unique_max": 0, "unique_per_channel_max": 0},
        )  # fmt: skip
        row["tensors"] += 1
        row["elements"] += tensor.elements
        row["zeros"] += tensor.zeros or 0
        row["size_bytes"] += tensor.size_bytes
        row["sparse_tensors"] += tensor.sparse
        row["unique_max"] = max(row["unique_max"], tensor.unique or 0)
        row["unique_per_channel_max"] = max(
            row["unique_per_channel_max"], *(tensor.unique_per_channel or (0,))
        )
    return found
