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

from ai_edge_litert import schema_py_generated as schema

from components.ml.lite.constants import bytes_of
from components.ml.lite.tensors import (
    CHANNEL_AXES,
    FLOATS,
    ROLES,
    Role,
    Tensor,
    integers,
    names_of,
    quantization_of,
    read_tensor,
)

IDENTIFIER = b"TFL3"
_UNPACKING = frozenset({"DEQUANTIZE", "DENSIFY"})
"""Operators that stand between a constant and the operator that it is for."""

_OPERATORS = names_of(schema.BuiltinOperator)


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
            ValueError: It is none, or keeps data in a way that is not known.
        """
        if content[4:8] != IDENTIFIER:
            raise ValueError(f"no .tflite: bytes 4 to 8 are {content[4:8]!r}, not {IDENTIFIER!r}")
        model: Any = schema.Model.GetRootAs(content, 0)
        subgraphs = tuple(
            _subgraph(content, model, number) for number in range(model.SubgraphsLength())
        )
        metadata: dict[str, int] = {}
        for number in range(model.MetadataLength()):
            entry = model.Metadata(number)
            data = bytes_of(content, model.Buffers(entry.Buffer()))
            metadata[entry.Name().decode()] = 0 if data is None else len(data)
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
        return self._of_role("weight")

    @cached_property
    def biases(self) -> tuple[Tensor, ...]:
        """Constants that an operator adds to each channel, in file order."""
        return self._of_role("bias")

    def _of_role(self, role: Role) -> tuple[Tensor, ...]:
        return tuple(
            tensor
            for subgraph in self.subgraphs
            for tensor in subgraph.tensors
            if tensor.role == role
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


def _subgraph(content: bytes, model: Any, number: int) -> Subgraph:
    subgraph = model.Subgraphs(number)
    operators = tuple(
        _operator(model, subgraph.Operators(index)) for index in range(subgraph.OperatorsLength())
    )
    tensors = [subgraph.Tensors(index) for index in range(subgraph.TensorsLength())]
    roles, axes = _uses(operators, tensors)
    return Subgraph(
        tensors=tuple(
            read_tensor(content, model, tensor, roles.get(index), axes.get(index))
            for index, tensor in enumerate(tensors)
        ),
        operators=operators,
        inputs=integers(subgraph.InputsAsNumpy()),
        outputs=integers(subgraph.OutputsAsNumpy()),
    )


def _uses(
    operators: tuple[Operator, ...], tensors: list[Any]
) -> tuple[dict[int, Role], dict[int, int]]:
    """Return, by index, what constants are for and which of their dimensions are channels."""
    roles: dict[int, Role] = {}
    axes: dict[int, int] = {}
    packed = {op.outputs[0]: op.inputs[0] for op in operators if op.name in _UNPACKING}

    def source(index: int) -> int:
        while index in packed:
            index = packed[index]
        return index

    for op in operators:
        for place, role in ROLES.get(op.name, {}).items():
            if place < len(op.inputs):
                roles[source(op.inputs[place])] = role
        if op.name in CHANNEL_AXES and len(op.inputs) > 1:
            axes[source(op.inputs[1])] = CHANNEL_AXES[op.name]
    for tensor in tensors:
        roles |= dict.fromkeys(quantization_of(tensor).tensors, "scale")
    return roles, axes


def _operator(model: Any, operator: Any) -> Operator:
    code = model.OperatorCodes(operator.OpcodeIndex())
    # Files older than schema 3a keep the code in the one-byte field that came first.
    builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    custom = code.CustomCode()
    name = custom.decode() if custom else _OPERATORS[builtin]
    return Operator(name, integers(operator.InputsAsNumpy()), integers(operator.OutputsAsNumpy()))
