"""``.tflite`` files that no converter at hand writes: other types, data behind the flatbuffer."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

OUTSIDE = 16
"""Data behind the flatbuffer begins at multiples of so many bytes, as ai-edge-quantizer writes."""


def packed(model: schema.ModelT) -> bytes:
    """Return the bytes of a model of the schema."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def unpacked(content: bytes) -> schema.ModelT:
    """Return the model that a file holds."""
    return schema.ModelT.InitFromPackedBuf(content, 0)


def with_data_outside(content: bytes) -> bytes:
    """Move the data of every buffer behind the flatbuffer."""
    model = unpacked(content)
    moved = [buffer for buffer in model.buffers if buffer.data is not None]
    data = [bytes(buffer.data) for buffer in moved]
    for buffer in moved:
        buffer.data, buffer.offset, buffer.size = None, 1, 1
    place = _up(len(packed(model)))
    for buffer, one in zip(moved, data, strict=True):
        buffer.offset, buffer.size = place, len(one)
        place = _up(place + len(one))
    out = bytearray(place)
    inside = packed(model)
    out[: len(inside)] = inside
    for buffer, one in zip(moved, data, strict=True):
        out[buffer.offset : buffer.offset + len(one)] = one
    return bytes(out)


def _up(place: int) -> int:
    return -(-place // OUTSIDE) * OUTSIDE


def constant_file(
    data: bytes, dtype: int, shape: tuple[int, ...], scales: Any = (0.5,), axis: int = 0
) -> bytes:
    """Return a file whose one operator, DEQUANTIZE, answers what a constant stands for.

    Args:
        data: Of the constant.
        dtype: Of the constant, a value of ``schema.TensorType``.
        shape: Of the constant.
        scales: Its steps; its zero points are 0.
        axis: Dimension of the steps.
    """
    model, graph, operator = schema.ModelT(), schema.SubGraphT(), schema.OperatorT()
    code, buffer = schema.OperatorCodeT(), schema.BufferT()
    kind = schema.BuiltinOperator.DEQUANTIZE
    code.builtinCode = code.deprecatedBuiltinCode = kind
    code.version = 6
    operator.inputs, operator.outputs = [0], [1]
    operator.builtinOptionsType = schema.BuiltinOptions.DequantizeOptions
    operator.builtinOptions = schema.DequantizeOptionsT()
    buffer.data = np.frombuffer(data, np.uint8)
    given, answer = schema.TensorT(), schema.TensorT()
    given.name, given.shape, given.type, given.buffer = "given", list(shape), dtype, 1
    if len(scales):
        given.quantization = schema.QuantizationParametersT()
        given.quantization.scale = np.asarray(scales, np.float32)
        given.quantization.zeroPoint = np.zeros(len(scales), np.int64)
        given.quantization.quantizedDimension = axis
    answer.name, answer.shape, answer.type = "answer", list(shape), schema.TensorType.FLOAT32
    graph.tensors, graph.inputs, graph.outputs = [given, answer], [], [1]
    graph.operators = [operator]
    model.version, model.subgraphs, model.operatorCodes = 3, [graph], [code]
    model.buffers = [schema.BufferT(), buffer]
    return packed(model)
