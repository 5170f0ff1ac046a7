"""Recipes: schemes that TensorFlow's converter does not write, by LiteRT's own quantizer.

It reads a float file whose tensors carry the ranges of their calibration, as TensorFlow's
calibration leaves it, so that every integer scheme of a model rests on the same ranges.

References:
    https://github.com/google-ai-edge/LiteRT/tree/main/litert_quantizer, which was called
    ai-edge-quantizer before.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from litert_quantizer import quantizer
from litert_quantizer.algorithm_manager import AlgorithmName
from litert_quantizer.qtyping import TFLOperationName

from components.artifacts.model import Scheme

BITS: Mapping[Scheme, tuple[int, int]] = {"w4a8": (8, 4), "int16x8": (16, 8)}
"""Bits of activations, and of the weights of convolutions and dense layers."""

_DEPTHWISE_BITS = 8  # the runtime has no depthwise kernel with fewer
_NARROW = (TFLOperationName.CONV_2D, TFLOperationName.FULLY_CONNECTED)
_EDGES = (TFLOperationName.INPUT, TFLOperationName.OUTPUT)
_IDENTIFIER = b"TFL3"


def quantized_by_recipe(calibrated: bytes, scheme: Scheme, kept: Collection[str]) -> bytes:
    """Quantize a float file.

    What the scheme cannot express, such as PRELU, stays in float; whether it may is for the caller
    to judge.

    Args:
        calibrated: The file, with the range of every tensor.
        scheme: One of ``BITS``.
        kept: Names of tensors: the operators that write them stay in float.

    Returns:
        A file that takes and gives float32, with its constants inside the flatbuffer.
    """
    activations, weights = BITS[scheme]
    made = quantizer.Quantizer(calibrated)
    made.add_static_config(".*", TFLOperationName.ALL_SUPPORTED, activations, _DEPTHWISE_BITS)
    for operation in _NARROW:
        made.add_static_config(".*", operation, activations, weights)
    excepted = AlgorithmName.NO_QUANTIZE
    for edge in _EDGES:
        made.update_quantization_recipe(".*", edge, algorithm_key=excepted)
    for name in sorted(kept):
        made.update_quantization_recipe(
            f"^{re.escape(name)};", TFLOperationName.ALL_SUPPORTED, algorithm_key=excepted
        )
    written = made.quantize(
        _ranges(calibrated), enable_progress_bar=False, enable_progress_report=False
    )
    return with_constants_inside(bytes(written.quantized_model))


def _ranges(calibrated: bytes) -> dict[str, dict[str, Any]]:
    """Return the smallest and the largest value of every tensor that was calibrated, by name."""
    model = schema.ModelT.InitFromPackedBuf(bytearray(calibrated), 0)
    found: dict[str, dict[str, Any]] = {}
    for tensor in model.subgraphs[0].tensors:
        seen = tensor.quantization
        if seen is not None and seen.min is not None and len(np.atleast_1d(seen.min)):
            ends = {"min": seen.min[0], "max": seen.max[0]}
            found[tensor.name.decode()] = {
                end: np.array([[value]], np.float32) for end, value in ends.items()
            }
    assert found, "TensorFlow's calibration left no ranges"
    return found


def with_constants_inside(content: bytes) -> bytes:
    """Return the file with every constant inside the flatbuffer, where everything reads them.

    The quantizer writes those of larger models behind it; TensorFlow's changes of the types at the
    edges would then point to the wrong places.
    """
    model = schema.ModelT.InitFromPackedBuf(bytearray(content), 0)
    for buffer in model.buffers:
        if buffer.offset > 1:  # 0 and 1 say that the data is inside
            outside = content[buffer.offset : buffer.offset + buffer.size]
            buffer.data = np.frombuffer(outside, np.uint8)
            buffer.offset = buffer.size = 0
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), _IDENTIFIER)
    return bytes(builder.Output())
