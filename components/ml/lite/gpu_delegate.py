"""What would fall off LiteRT's GPU delegate, told from its documentation. Nothing is run.

The delegate itself decides on a phone, by version, type and shape, too, and takes more from
release to release, so what is said here is marked as not verified.

References:
    https://ai.google.dev/edge/litert/performance/gpu (section "GPU ML operations support",
    as of 2025-07-24)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.ml.lite.flatbuffer import LiteFile

SOURCE = "https://ai.google.dev/edge/litert/performance/gpu"

DOCUMENTED = frozenset({
    "ADD", "AVERAGE_POOL_2D", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "EXP",
    "FULLY_CONNECTED", "LOGICAL_AND", "LOGISTIC", "LSTM", "MAXIMUM", "MAX_POOL_2D", "MINIMUM",
    "MUL", "PAD", "PRELU", "RELU", "RELU6", "RESHAPE", "RESIZE_BILINEAR", "SOFTMAX",
    "STRIDED_SLICE", "SUB", "TRANSPOSE_CONV",
})  # fmt: skip
"""Operators that the delegate's documentation lists."""


def outside(file: LiteFile) -> Mapping[str, Any]:
    """Return the operators of a file that the delegate's documentation does not list.

    Args:
        file: With the names of its tensors.

    Returns:
        The operators as ``NAME -> name of its output``, the source, and that nobody has verified
        it.
    """
    return {
        "verified": False,
        "source": SOURCE,
        "outside": [
            f"{op.name} -> {graph.tensors[op.outputs[0]].name}"
            for graph in file.subgraphs
            for op in graph.operators
            if op.name not in DOCUMENTED
        ],
    }
