"""LiteRT's schemes: those that TensorFlow's converter does not write, by LiteRT's own quantizer.

It reads a float file whose tensors carry the ranges of their calibration, as TensorFlow's
calibration leaves it, so that every integer scheme of a model rests on the same ranges.

References:
    https://github.com/google-ai-edge/LiteRT/tree/main/litert_quantizer, which was called
    ai-edge-quantizer before.
"""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Mapping
from contextlib import redirect_stderr
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from litert_quantizer import quantizer
from litert_quantizer.algorithm_manager import AlgorithmName
from litert_quantizer.qtyping import (
    ComputePrecision,
    OpQuantizationConfig,
    TensorDataType,
    TensorQuantizationConfig,
    TFLOperationName,
)

from components.artifacts.model import QuantizationPlan, Scheme
from components.ml.lite.model_object import put_together, taken_apart

BITS: Mapping[Scheme, tuple[int, int]] = {"w4a8": (8, 4), "int16x8": (16, 8)}
"""Bits of activations, and of the weights of convolutions and dense layers."""

_DEPTHWISE_BITS = 8  # the runtime has no depthwise kernel with fewer
_NARROW = (TFLOperationName.CONV_2D, TFLOperationName.FULLY_CONNECTED)
_EXCEPTED = AlgorithmName.NO_QUANTIZE
_EDGES = (TFLOperationName.INPUT, TFLOperationName.OUTPUT)


def quantized_by_litert(calibrated: bytes, plan: QuantizationPlan, kept: Collection[str]) -> bytes:
    """Quantize a float file.

    What the scheme cannot express, such as PRELU, stays in float; whether it may is for the caller
    to judge.

    Args:
        calibrated: The file, with the range of every tensor.
        plan: Its scheme is one of ``BITS``; the types of the edges.
        kept: Names of tensors: the operators that write them stay in float.

    Returns:
        A file with its constants inside the flatbuffer.
    """
    activations, weights = BITS[plan.scheme]
    made: Any = quantizer.Quantizer(calibrated)
    made.add_static_config(".*", TFLOperationName.ALL_SUPPORTED, activations, _DEPTHWISE_BITS)
    for operation in _NARROW:
        made.add_static_config(".*", operation, activations, weights)
    for edge, dtype in zip(_EDGES, (plan.input_type, plan.output_type), strict=True):
        if dtype == "float32":
            made.update_quantization_recipe(".*", edge, algorithm_key=_EXCEPTED)
        else:
            made.update_quantization_recipe(".*", edge, _edge(dtype))
    for name in sorted(kept):
        made.update_quantization_recipe(
            f"^{re.escape(name)};", TFLOperationName.ALL_SUPPORTED, algorithm_key=_EXCEPTED
        )
    with redirect_stderr(io.StringIO()):  # a progress bar that cannot be turned off
        written = made.quantize(
            _ranges(calibrated), enable_progress_bar=False, enable_progress_report=False
        )
    return put_together(taken_apart(bytes(written.quantized_model)))


def _edge(dtype: str) -> OpQuantizationConfig:
    levels = TensorDataType.UINT if dtype == "uint8" else TensorDataType.INT
    return OpQuantizationConfig(
        activation_tensor_config=TensorQuantizationConfig(
            num_bits=8, symmetric=False, dtype=levels
        ),
        weight_tensor_config=TensorQuantizationConfig(num_bits=8, symmetric=True),
        compute_precision=ComputePrecision.INTEGER,
    )


def _ranges(calibrated: bytes) -> dict[str, dict[str, Any]]:
    """Return the smallest and the largest value of every tensor that was calibrated, by name."""
    model: Any = schema.ModelT.InitFromPackedBuf(bytearray(calibrated), 0)
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
