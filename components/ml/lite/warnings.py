"""Warnings: what a reader must know of a file's speed before a measurement says it."""

from __future__ import annotations

from collections.abc import Iterator

from components.artifacts.model import QuantizationPlan
from components.ml.lite.flatbuffer import LiteFile, Operator, Subgraph
from components.ml.lite.precision import weights_of


def warnings_of(file: LiteFile, plan: QuantizationPlan | None) -> Iterator[str]:
    """Yield one sentence a warning, without a full stop.

    Args:
        file: The written file.
        plan: What it was written by.
    """
    graph = file.subgraphs[0]
    slow = [
        op for op in graph.operators if op.name == "CONV_2D" and weights_of(graph, op) == "INT4"
    ]
    if slow:
        pointwise = sum(graph.tensors[op.inputs[1]].shape[1:3] == (1, 1) for op in slow)
        help_ = (
            f"With pointwise: dense for the backbone, the {pointwise} of 1x1 become "
            "FULLY_CONNECTED, which it runs as fast as int8"
            if pointwise
            else "None of them is of 1x1, which pointwise: dense could make fast; int8 is"
        )
        yield (
            f"weights of 4 bits in {len(slow)} CONV_2D, for which XNNPACK has no kernel: 2 to 4 "
            f"times slower than int8 where it was measured. {help_}"
        )
    bent = sum(op.name == "PRELU" and _is_int8(graph, op) for op in graph.operators)
    if bent:
        yield (
            f"{bent} PRELU in 8 bits, for which XNNPACK has no kernel: 5 times slower than in "
            "float where it was measured. With the names of these layers in float_layers the file "
            "grows by some bytes and stays on XNNPACK"
        )
    if plan and plan.scheme == "int16x8":
        yield (
            "activations of 16 bits, for which XNNPACK has no kernel: 20 to 900 times slower than "
            "int8 where it was measured. It shows what 8 bits of activations cost, and is no file "
            "to ship"
        )


def _is_int8(graph: Subgraph, op: Operator) -> bool:
    return graph.tensors[op.outputs[0]].dtype == "INT8"
