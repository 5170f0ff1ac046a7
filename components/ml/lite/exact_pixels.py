"""Exact pixels: the rounding of the input's zero point, made up for in the first biases.

The mean of the pixels is the zero point of a file that takes their bytes as they are, and a zero
point is an integer: with a mean of 127.5 the file sees every pixel half a level brighter than the
network. A convolution or dense layer that reads the image adds that, times the sum of its weights,
to each output: taking it from the bias makes every pixel exact. What stays wrong by that much are
the places beside the image where a convolution pads with zeros.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from components.artifacts.model import ImageInput
from components.contract.errors import UserError
from components.ml.lite.model_object import put_together, taken_apart

_OP = schema.BuiltinOperator
_ON_THE_WAY = frozenset({_OP.QUANTIZE, _OP.PAD, _OP.RESHAPE})
"""Operators that hand pixels on as they are; what PAD adds is like what a convolution pads with."""
_CHANNELS_FIRST = frozenset({_OP.CONV_2D, _OP.FULLY_CONNECTED})
_INTEGERS = frozenset({schema.TensorType.INT8, schema.TensorType.INT4})
_TINY = 1e-3
"""Parts of a level that are none."""


def with_exact_pixels(content: bytes, image: ImageInput) -> bytes:
    """Return a file that sees every pixel as the network did.

    Args:
        content: A file whose input is int8 or uint8, with one level a pixel value.
        image: What the network takes.

    Raises:
        UserError: Something else than a convolution or dense layer in integers reads the image.
    """
    model = taken_apart(content)
    graph = model.subgraphs[0]
    tensor = graph.tensors[graph.inputs[0]]
    scale, zero = float(tensor.quantization.scale[0]), int(tensor.quantization.zeroPoint[0])
    assert abs(scale * image.scale - 1) < _TINY, "a level of the input is not a pixel value"
    if tensor.type == schema.TensorType.INT8:
        zero += 128
    brighter = image.mean - zero  # so many levels the file sees a pixel too bright
    if abs(brighter) < _TINY:
        return content
    for op in list(_readers(model, graph.inputs[0])):
        _correct(model, op, brighter)
    return put_together(model)


def _readers(model: Any, tensor: int) -> Iterator[Any]:
    """Yield the operators that compute with the image."""
    graph = model.subgraphs[0]
    for op in graph.operators:
        if tensor not in list(op.inputs):
            continue
        if _code(model, op) in _ON_THE_WAY:
            yield from _readers(model, op.outputs[0])
        else:
            yield op


def _code(model: Any, op: Any) -> int:
    code = model.operatorCodes[op.opcodeIndex]
    return max(code.builtinCode, code.deprecatedBuiltinCode)


def _correct(model: Any, op: Any, brighter: float) -> None:
    graph, code = model.subgraphs[0], _code(model, op)
    names = {value: name for name, value in vars(_OP).items() if isinstance(value, int)}
    weights = graph.tensors[op.inputs[1]] if len(op.inputs) > 2 else None
    linear = code in _CHANNELS_FIRST or code == _OP.DEPTHWISE_CONV_2D
    if not (
        linear and weights and weights.type in {schema.TensorType.INT8, schema.TensorType.INT4}
    ):
        raise UserError(
            f"convert: exact_pixels: {names[code]} reads the image, and only the biases of "
            "convolutions and dense layers in integers can make up for its zero point",
            "leave exact_pixels away, or the first layer out of float_layers",
        )
    values = _numbers(model, weights).astype(np.int64)
    channels = 0 if code in _CHANNELS_FIRST else values.ndim - 1
    sums = values.sum(axis=tuple(axis for axis in range(values.ndim) if axis != channels))
    steps = np.floor(brighter * sums + 0.5).astype(np.int32)
    if op.inputs[2] < 0:  # one of zeros was left out
        _add_bias(graph, op, weights, len(sums))
        held = np.zeros(len(sums), np.int32)
    else:
        buffer = graph.tensors[op.inputs[2]].buffer
        held = np.frombuffer(bytes(model.buffers[buffer].data), np.int32)
    made = schema.BufferT()  # of its own: equal constants share theirs
    made.data = np.frombuffer((held - steps).astype(np.int32).tobytes(), np.uint8)
    model.buffers.append(made)
    graph.tensors[op.inputs[2]].buffer = len(model.buffers) - 1


def _add_bias(graph: Any, op: Any, weights: Any, channels: int) -> None:
    tensor, image = schema.TensorT(), graph.tensors[op.inputs[0]]
    tensor.name, tensor.shape, tensor.type = b"bias", [channels], schema.TensorType.INT32
    tensor.quantization = schema.QuantizationParametersT()
    scales = np.broadcast_to(weights.quantization.scale, (channels,))
    tensor.quantization.scale = (scales * image.quantization.scale[0]).astype(np.float32)
    tensor.quantization.zeroPoint = np.zeros(channels, np.int64)
    graph.tensors.append(tensor)
    op.inputs = [*op.inputs[:2], len(graph.tensors) - 1]


def _numbers(model: Any, tensor: Any) -> np.ndarray:
    """Return the integers of a constant; two of 4 bits lie in a byte, the lower half first."""
    data = np.frombuffer(bytes(model.buffers[tensor.buffer].data), np.int8)
    if tensor.type == schema.TensorType.INT4:
        halves = np.stack([data << 4 >> 4, data >> 4], axis=1).reshape(-1)
        data = halves[: int(np.prod(tensor.shape))]
    return data.reshape(tensor.shape)
