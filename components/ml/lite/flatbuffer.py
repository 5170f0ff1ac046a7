"""Read a ``.tflite``: what the converter really wrote, whatever it was asked to write.

Nothing is run. The schema ships with ai-edge-litert, so this needs no TensorFlow.

References:
    https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/schema/schema.fbs
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from components.artifacts.lite_model import Affine

FLOATS = frozenset({"FLOAT16", "FLOAT32", "FLOAT64", "BFLOAT16"})
_NUMPY = {
    "FLOAT64": np.float64, "FLOAT32": np.float32, "FLOAT16": np.float16,
    "INT64": np.int64, "INT32": np.int32, "INT16": np.int16, "INT8": np.int8, "UINT8": np.uint8,
}  # fmt: skip
_WEIGHT_TYPES = frozenset({"FLOAT32", "FLOAT16", "INT8", "UINT8"})
_IDENTIFIER = b"TFL3"


def _names_of(enumeration: type) -> dict[int, str]:
    return {value: name for name, value in vars(enumeration).items() if isinstance(value, int)}


_OPERATORS = _names_of(schema.BuiltinOperator)
_TYPES = _names_of(schema.TensorType)


@dataclass(frozen=True)
class Tensor:
    """One tensor of a subgraph.

    Attributes:
        name: As the converter wrote it; fused layers are joined by semicolons.
        dtype: Name in the schema, such as FLOAT32 or INT8.
        shape: Empty for a scalar.
        size_bytes: Length of its constant, 0 for what is computed.
        elements: Count of numbers.
        zeros: How many numbers of a weight stand for 0.0; None for everything else.
        unique: How many different numbers a weight holds, 0 included; None for everything else.
        unique_per_channel: The same for each output channel.
        scales: Quantization steps: one, or one a channel; empty when it is not quantized.
        zero_points: The integers that stand for 0.0, as many as scales.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    size_bytes: int
    elements: int
    zeros: int | None
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    unique: int | None = None
    unique_per_channel: tuple[int, ...] | None = None

    @property
    def affine(self) -> Affine | None:
        """The quantization of the whole tensor, or None where there is none."""
        if not self.scales or self.dtype in FLOATS:
            return None
        assert len(self.scales) == 1, f"{self.name} is quantized by channel"
        return Affine(self.scales[0], self.zero_points[0])


@dataclass(frozen=True)
class Operator:
    """One operator of a subgraph.

    Attributes:
        name: Name in the schema such as CONV_2D, or the name of a custom operator.
        inputs: Indices into the subgraph's tensors; -1 for an optional input that is absent.
        outputs: Indices into the subgraph's tensors.
    """

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Subgraph:
    """One subgraph of a file: the main one, or the body of a loop or a condition."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class LiteFile:
    """The content of a ``.tflite``.

    Attributes:
        subgraphs: The main subgraph first.
        metadata: Size in bytes of every metadata entry by its name.
        size_bytes: Length of the file.
    """

    subgraphs: tuple[Subgraph, ...]
    metadata: Mapping[str, int]
    size_bytes: int

    @classmethod
    def parse(cls, content: bytes) -> LiteFile:
        """Read the bytes of a ``.tflite``.

        Raises:
            ValueError: It is none.
        """
        if content[4:8] != _IDENTIFIER:
            raise ValueError(f"no .tflite: bytes 4 to 8 are {content[4:8]!r}, not {_IDENTIFIER!r}")
        model: Any = schema.Model.GetRootAs(content, 0)
        subgraphs = tuple(_subgraph(model, number) for number in range(model.SubgraphsLength()))
        entries = (model.Metadata(number) for number in range(model.MetadataLength()))
        metadata = {
            entry.Name().decode(): model.Buffers(entry.Buffer()).DataLength() for entry in entries
        }
        return cls(subgraphs, metadata, len(content))

    @property
    def input(self) -> Tensor:
        """The only input of the main subgraph."""
        (index,) = self.subgraphs[0].inputs
        return self.subgraphs[0].tensors[index]

    @property
    def output(self) -> Tensor:
        """The only output of the main subgraph."""
        (index,) = self.subgraphs[0].outputs
        return self.subgraphs[0].tensors[index]

    @cached_property
    def operators(self) -> Mapping[str, int]:
        """Count of operators by name, over all subgraphs."""
        found = Counter(op.name for subgraph in self.subgraphs for op in subgraph.operators)
        return dict(sorted(found.items()))

    @cached_property
    def float_operators(self) -> tuple[str, ...]:
        """Operators that compute in floating point, each as ``NAME -> name of its output``.

        A QUANTIZE that reads an input of the file and a DEQUANTIZE that writes an output are how
        a file with float edges starts and ends, and do not count.
        """
        return tuple(
            f"{op.name} -> {subgraph.tensors[op.outputs[0]].name}"
            for subgraph in self.subgraphs
            for op in subgraph.operators
            if _computes_in_float(subgraph, op)
            and not (subgraph is self.subgraphs[0] and _edge(subgraph, op))
        )

    @cached_property
    def weights(self) -> tuple[Tensor, ...]:
        """Constants of two dimensions and more that hold trained numbers, in file order."""
        return tuple(
            tensor
            for subgraph in self.subgraphs
            for tensor in subgraph.tensors
            if tensor.zeros is not None
        )

    @property
    def zeros(self) -> int:
        """How many weights are 0."""
        return sum(tensor.zeros or 0 for tensor in self.weights)

    @property
    def sparsity(self) -> float:
        """Share of the weights that is 0, from 0 to 1."""
        return self.zeros / max(1, sum(tensor.elements for tensor in self.weights))


def _edge(subgraph: Subgraph, op: Operator) -> bool:
    enters = op.name == "QUANTIZE" and op.inputs[0] in subgraph.inputs
    leaves = op.name == "DEQUANTIZE" and op.outputs[0] in subgraph.outputs
    return enters or leaves


def _computes_in_float(subgraph: Subgraph, op: Operator) -> bool:
    touched = [subgraph.tensors[index] for index in (*op.inputs, *op.outputs) if index >= 0]
    return any(tensor.dtype in FLOATS for tensor in touched)


def _subgraph(model: Any, number: int) -> Subgraph:
    subgraph = model.Subgraphs(number)
    operators = tuple(
        _operator(model, subgraph.Operators(index)) for index in range(subgraph.OperatorsLength())
    )
    # Channels of all other weights come first.
    last = {op.inputs[1] for op in operators if op.name == "DEPTHWISE_CONV_2D"}
    return Subgraph(
        tensors=tuple(
            _tensor(model, subgraph.Tensors(index), -1 if index in last else 0)
            for index in range(subgraph.TensorsLength())
        ),
        operators=operators,
        inputs=_integers(subgraph.InputsAsNumpy()),
        outputs=_integers(subgraph.OutputsAsNumpy()),
    )


def _operator(model: Any, operator: Any) -> Operator:
    code = model.OperatorCodes(operator.OpcodeIndex())
    # Files older than schema 3a keep the code in the one-byte field that came first.
    builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    custom = code.CustomCode()
    name = custom.decode() if custom else _OPERATORS[builtin]
    return Operator(name, _integers(operator.InputsAsNumpy()), _integers(operator.OutputsAsNumpy()))


def _tensor(model: Any, tensor: Any, channel_axis: int) -> Tensor:
    buffer = model.Buffers(tensor.Buffer())
    quantization = tensor.Quantization()
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    if quantization and quantization.ScaleLength():
        scales = tuple(float(scale) for scale in quantization.ScaleAsNumpy())
        zero_points = _integers(quantization.ZeroPointAsNumpy())
    shape = _integers(tensor.ShapeAsNumpy())
    dtype = _TYPES[tensor.Type()]
    dense = len(shape) > 1 and dtype in _WEIGHT_TYPES and not tensor.Sparsity()
    unique, unique_per_channel = None, None
    if dense and buffer.DataLength():
        values = np.frombuffer(buffer.DataAsNumpy(), _NUMPY[dtype]).reshape(shape)
        unique = len(np.unique(values))
        channels = np.moveaxis(values, channel_axis, 0)
        unique_per_channel = tuple(len(np.unique(channel)) for channel in channels)
    return Tensor(
        name=tensor.Name().decode(),
        dtype=dtype,
        shape=shape,
        size_bytes=buffer.DataLength(),
        elements=int(np.prod(shape)),
        zeros=_zeros(buffer, dtype, zero_points) if dense and buffer.DataLength() else None,
        scales=scales,
        zero_points=zero_points,
        unique=unique,
        unique_per_channel=unique_per_channel,
    )


def _zeros(buffer: Any, dtype: str, zero_points: tuple[int, ...]) -> int:
    values = np.frombuffer(buffer.DataAsNumpy(), _NUMPY[dtype])
    # Weights by channel are symmetric in every scheme of the specification: zero point 0.
    zero = zero_points[0] if len(set(zero_points)) == 1 else 0
    return int(np.count_nonzero(values == zero))


def _integers(values: Any) -> tuple[int, ...]:
    """Vectors that are absent come as the number 0."""
    return tuple(int(value) for value in values) if isinstance(values, np.ndarray) else ()
