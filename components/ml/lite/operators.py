"""Operators and weights: what a Model's program runs, and what is left of it in the file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tensorflow.core.protobuf import saved_model_pb2

from components.ml.formats import model_folder
from components.ml.lite.flatbuffer import LiteFile

_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
_BOOKKEEPING = frozenset({"Const", "Identity", "NoOp", "Placeholder", "ReadVariableOp"})


def operators_of_program(path: Path) -> dict[str, int]:
    """Count the TensorFlow operators that the Model's signature runs, before anything is fused.

    Those that only carry values around do not count.
    """
    program = saved_model_pb2.SavedModel()
    program.ParseFromString((path / model_folder.PROGRAM / "saved_model.pb").read_bytes())
    content = program.meta_graphs[0]
    (output,) = content.signature_def[model_folder.SIGNATURE].outputs.values()
    entry = output.name.partition(":")[0]
    functions = {f.signature.name: f.node_def for f in content.graph_def.library.function}
    todo = [node for node in content.graph_def.node if node.name == entry]
    found: Counter[str] = Counter()
    while todo:
        node = todo.pop()
        if node.op in _CALLS:
            todo.extend(functions[node.attr["f"].func.name])
        elif node.op not in _BOOKKEEPING:
            found[node.op] += 1
    return dict(sorted(found.items()))


def weights_by_type(file: LiteFile) -> dict[str, dict[str, int]]:
    """Return count, numbers, zeros and bytes of the weights of each type in the file."""
    found: dict[str, dict[str, int]] = {}
    for tensor in file.weights:
        row = found.setdefault(
            tensor.dtype, {"tensors": 0, "elements": 0, "zeros": 0, "size_bytes": 0}
        )
        row["tensors"] += 1
        row["elements"] += tensor.elements
        row["zeros"] += tensor.zeros or 0
        row["size_bytes"] += tensor.size_bytes
    return found
