"""Tensors of a ``.tflite``: type, quantization, and what their constants are there for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from components.artifacts.lite_model import Affine
from components.ml.lite.constants import READABLE, Constant, constant_of

FLOATS = frozenset({"FLOAT16", "FLOAT32", "FLOAT64", "BFLOAT16", "FLOAT8_E4M3FN", "FLOAT8_E5M2"})
_SMALL_INTEGERS = frozenset({"INT2", "INT4", "UINT4", "INT8", "UINT8", "INT16"})
_TEXT = "STRING"

Role: TypeAlias = Literal["weight", "bias", "scale", "other"]
"""What a constant is there for. weight: trained numbers of two dimensions and more. bias: what an
operator adds to each channel. scale: steps of a blockwise quantization. other: shapes, axes and
the like, and trained numbers of one dimension."""


def names_of(enumeration: type) -> dict[int, str]:
    """Return the names of the values of an enumeration of the schema."""
    return {value: name for name, value in vars(enumeration).items() if isinstance(value, int)}


_TYPES = names_of(schema.TensorType)
_DETAILS = names_of(schema.QuantizationDetails)


@dataclass(frozen=True)
class Quantization:
    """How the integers of a tensor stand for real numbers.

    Attributes:
        scales: Quantization steps: one, or one a channel; empty when it is not quantized, or in
            blocks.
        zero_points: The integers that stand for 0.0, as many as scales.
        axis: Dimension of the channels, when there are several scales.
        block: Numbers that share a step along a channel; 0 where whole channels do.
        tensors: Indices of the tensors that hold the steps of blocks.
    """

    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    axis: int = 0
    block: int = 0
    tensors: tuple[int, ...] = ()


@dataclass(frozen=True)
class Tensor:
    """One tensor of a subgraph.

    Attributes:
        name: As the converter wrote it; fused layers are joined by semicolons. Empty where names
            were dropped.
        dtype: Name in the schema, such as FLOAT32 or INT8.
        shape: Empty for a scalar.
        quantization: How its integers stand for real numbers.
        constant: Its data; None for what is computed.
        role: What the constant is there for; None for what is computed.
        channel_axis: Of a weight the dimension that runs through the output channels.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    quantization: Quantization
    constant: Constant | None = field(default=None, repr=False, compare=False)
    role: Role | None = None
    channel_axis: int = 0

    @property
    def scales(self) -> tuple[float, ...]:
        """Quantization steps: one, or one a channel; empty when it is not quantized."""
        return self.quantization.scales

    @property
    def zero_points(self) -> tuple[int, ...]:
        """The integers that stand for 0.0, as many as scales."""
        return self.quantization.zero_points

    @property
    def size_bytes(self) -> int:
        """Length of its constant, 0 for what is computed."""
        return 0 if self.constant is None else len(self.constant.data)

    @property
    def elements(self) -> int:
        """Count of numbers, those included that a sparse layout leaves away."""
        return int(np.prod(self.shape))

    @property
    def sparse(self) -> bool:
        """Whether its constant is kept in a sparse layout."""
        return self.constant is not None and bool(self.constant.levels)

    @property
    def density(self) -> float | None:
        """Numbers in the file a number of the tensor: 1 unless it is sparse; None for no weight."""
        if self.constant is None or self.role != "weight":
            return None
        return self.constant.stored / max(1, self.elements)

    @cached_property
    def zeros(self) -> int | None:
        """How many numbers of a weight stand for 0.0; None for everything else."""
        if self.constant is None or self.role != "weight":
            return None
        points = self.zero_points
        if len(set(points)) <= 1:
            return int(np.count_nonzero(self.constant.values == (points[0] if points else 0)))
        sides = [1] * len(self.shape)
        sides[self.quantization.axis] = -1
        return int(np.count_nonzero(self.constant.values == np.reshape(points, sides)))

    @cached_property
    def unique(self) -> int | None:
        """How many different numbers a weight holds, 0 included; None for everything else."""
        if self.constant is None or self.role != "weight":
            return None
        return _different(self.constant.values)

    @cached_property
    def unique_per_channel(self) -> tuple[int, ...] | None:
        """The same for each output channel, which each have a scale of their own."""
        if self.constant is None or self.role != "weight":
            return None
        channels = np.moveaxis(self.constant.values, self.channel_axis, 0)
        return tuple(_different(channel) for channel in channels)

    @property
    def affine(self) -> Affine | None:
        """The quantization of the whole tensor, or None where there is none."""
        if not self.scales or self.dtype in FLOATS:
            return None
        assert len(self.scales) == 1, f"{self.name} is quantized by channel"
        return Affine(self.scales[0], self.zero_points[0])


def read_tensor(
    content: bytes, model: Any, tensor: Any, role: Role | None, channel_axis: int | None
) -> Tensor:
    """Read one tensor.

    Args:
        content: The whole file.
        model: ``schema.Model``.
        tensor: ``schema.Tensor``.
        role: What operators or quantization use it for, where that is known.
        channel_axis: The dimension of output channels that its operator has; None where unknown.

    Raises:
        ValueError: Its type, its quantization or the place of its data is not known.
    """
    name, dtype = (tensor.Name() or b"").decode(), type_of(tensor)
    constant = constant_of(content, model, tensor, dtype)
    shape = integers(tensor.ShapeAsNumpy())
    quantization = quantization_of(tensor)
    if constant is not None:
        if dtype not in READABLE and dtype != _TEXT:
            raise ValueError(f"tensor {name} is a constant of type {dtype}, which cannot be read")
        role = role or _role(dtype, shape, quantization)
    if len(quantization.scales) > 1:
        channel_axis = quantization.axis
    return Tensor(
        name, dtype, shape, quantization, constant, role if constant else None, channel_axis or 0
    )


def type_of(tensor: Any) -> str:
    """Return the name of a tensor's type.

    Raises:
        ValueError: The schema at hand does not have it.
    """
    if tensor.Type() not in _TYPES:
        name = (tensor.Name() or b"").decode()
        raise ValueError(f"tensor {name} has a type of number {tensor.Type()}, which is not known")
    return _TYPES[tensor.Type()]


def _role(dtype: str, shape: tuple[int, ...], quantization: Quantization) -> Role:
    """Return what a constant is that no operator takes as its bias."""
    numbers = dtype in FLOATS or dtype in _SMALL_INTEGERS
    # Wider integers without a scale are paddings, axes and shapes.
    return "weight" if len(shape) > 1 and (numbers or quantization.scales) else "other"


def quantization_of(tensor: Any) -> Quantization:
    """Return how the integers of a tensor stand for real numbers.

    Raises:
        ValueError: It is quantized in a way that is not known.
    """
    given = tensor.Quantization()
    if given is None:
        return Quantization()
    details = _DETAILS.get(given.DetailsType(), str(given.DetailsType()))
    if details == "BlockwiseQuantization":
        table = given.Details()
        blocks = schema.BlockwiseQuantization()
        blocks.Init(table.Bytes, table.Pos)
        used = tuple(index for index in (blocks.Scales(), blocks.ZeroPoints()) if index > 0)
        return Quantization(block=blocks.BlockSize(), axis=given.QuantizedDimension(), tensors=used)
    if details != "NONE":
        name = (tensor.Name() or b"").decode()
        raise ValueError(f"tensor {name} has a quantization of kind {details}, which is not known")
    return Quantization(
        tuple(float(scale) for scale in given.ScaleAsNumpy()) if given.ScaleLength() else (),
        integers(given.ZeroPointAsNumpy()),
        given.QuantizedDimension(),
    )


def integers(values: Any) -> tuple[int, ...]:
    """Return a vector of the schema; those that are absent come as the number 0."""
    return tuple(int(value) for value in values) if isinstance(values, np.ndarray) else ()


ROLES: Mapping[str, Mapping[int, Role]] = {
    "CONV_2D": {2: "bias"},
    "DEPTHWISE_CONV_2D": {2: "bias"},
    "FULLY_CONNECTED": {2: "bias"},
    "CONV_3D": {2: "bias"},
    "TRANSPOSE_CONV": {3: "bias"},
}
"""By operator the inputs that are biases."""

CHANNEL_AXES: Mapping[str, int] = {"DEPTHWISE_CONV_2D": 3, "CONV_3D": 4}
"""By operator the dimension of output channels in its weights, where it is not the first."""


def _different(values: np.ndarray) -> int:
    """Count different numbers.

    Floats of 16 bits are compared as ones of 32: on processors with AVX512-ICL, numpy (2.4) does
    not sort many equal halves, and would count some of them more than once.
    """
    wide = values.astype(np.float32) if values.dtype == np.float16 else values
    return len(np.unique(wide))
