"""LiteModels of one layer, written without a converter: what they answer is known exactly."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from components.artifacts.lite_model import MODEL_FILE, LiteInput, LiteModelInfo, LiteOutput


def write_lite(
    path: Path,
    weights_dp: np.ndarray,
    shape: tuple[int, int, int],
    *,
    classes: tuple[str, ...] | None = None,
    mean: float = 127.5,
    scale: float = 127.5,
    kills: bool = False,
    data: bytes | None = None,
) -> Path:
    """Write a LiteModel that answers ``weights_dp @ normalised pixels``.

    Args:
        path: Folder to make.
        weights_dp: d x p, where p is the number of values in ``shape``.
        shape: Height, width, channels.
        classes: Makes it a classifier with d classes; None a verifier.
        mean: Of the normalisation.
        scale: Of the normalisation.
        kills: Answer by a condition whose branch is the whole model again: the runtime loads it
            without a word and then runs out of stack.
        data: Write this in place of the model.
    """
    path.mkdir(parents=True)
    data = data or (endless(shape) if kills else one_layer(weights_dp.astype(np.float32), shape))
    (path / MODEL_FILE).write_bytes(data)
    kind: Any = "scores" if classes else "embedding"
    LiteModelInfo(
        task="classification" if classes else "verification",
        input=LiteInput(*shape, mean, scale, "float32", None),
        output=LiteOutput(
            kind, len(weights_dp), classes, "none" if classes else None, "float32", None
        ),
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        gzip_bytes=len(gzip.compress(data, 9, mtime=0)),
        parameters=weights_dp.size,
    ).write(path)
    return path


def one_layer(weights_dp: np.ndarray, shape: tuple[int, int, int]) -> bytes:
    """Return a file of one FULLY_CONNECTED operator."""
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [0, 1, -1], [2]
    operator.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
    operator.builtinOptions = schema.FullyConnectedOptionsT()
    tensors = [
        _tensor("image", (1, *shape), 0),
        _tensor("weights", weights_dp.shape, 1),
        _tensor("answer", (1, len(weights_dp)), 0),
    ]
    return _file(schema.BuiltinOperator.FULLY_CONNECTED, operator, tensors, weights_dp.tobytes())


def one_integer_layer(weights_dp: np.ndarray, shape: tuple[int, int, int]) -> bytes:
    """Return a file of one FULLY_CONNECTED operator, all of it int8; what it answers is not told.

    Args:
        weights_dp: int8, d x p.
        shape: Height, width, channels.
    """
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [0, 1, -1], [2]
    operator.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
    operator.builtinOptions = schema.FullyConnectedOptionsT()
    tensors = [
        _tensor("image", (1, *shape), 0),
        _tensor("weights", weights_dp.shape, 1),
        _tensor("answer", (1, len(weights_dp)), 0),
    ]
    for tensor in tensors:
        tensor.type = schema.TensorType.INT8
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale = np.array([0.05], np.float32)
        tensor.quantization.zeroPoint = np.array([0], np.int64)
    return _file(schema.BuiltinOperator.FULLY_CONNECTED, operator, tensors, weights_dp.tobytes())


def endless(shape: tuple[int, int, int]) -> bytes:
    """Return a file of one IF operator that runs its own graph."""
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [1, 0], [2]
    operator.builtinOptionsType = schema.BuiltinOptions.IfOptions
    operator.builtinOptions = schema.IfOptionsT()  # both branches are graph 0
    condition = _tensor("condition", (1,), 1)
    condition.type = schema.TensorType.BOOL
    tensors = [_tensor("image", (1, *shape), 0), condition, _tensor("answer", (1, *shape), 0)]
    return _file(schema.BuiltinOperator.IF, operator, tensors, b"\x01")


def _file(
    kind: int, operator: schema.OperatorT, tensors: list[schema.TensorT], constant: bytes
) -> bytes:
    """Return a file of one operator; tensor 0 is the input, 1 the constant, 2 the output."""
    model, graph = schema.ModelT(), schema.SubGraphT()
    code, buffer = schema.OperatorCodeT(), schema.BufferT()
    code.builtinCode = code.deprecatedBuiltinCode = kind
    buffer.data = np.frombuffer(constant, np.uint8)
    graph.tensors, graph.inputs, graph.outputs = tensors, [0], [2]
    graph.operators = [operator]
    model.version, model.subgraphs, model.operatorCodes = 3, [graph], [code]
    model.buffers = [schema.BufferT(), buffer]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _tensor(name: str, shape: tuple[int, ...], buffer: int) -> schema.TensorT:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.buffer = name, list(shape), buffer
    tensor.type = schema.TensorType.FLOAT32
    return tensor
