"""Checking: a written file held against what its Model says of it."""

from __future__ import annotations

from collections.abc import Mapping

from components.artifacts.lite_model import LIMITS, DType
from components.artifacts.model import INTEGER_SCHEMES, ModelInfo
from components.artifacts.promises import Promises, SharedWeights
from components.contract.errors import UserError
from components.ml.graphs.rounding import Range
from components.ml.lite.flatbuffer import LiteFile, Tensor

_DYNAMIC = frozenset(
    {"BATCH_MATMUL", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"}
)
"""Operators that take weights of 8 bits beside activations in float, as their second input."""
_LEAST = 1024
"""Numbers of a weight from which the converter stores it in 8 bits under ``dynamic``."""
_LEVEL = 0.01
"""Share of a level by which a range may differ from the one in the file, which has 32 bits."""


def refuse(
    file: LiteFile, info: ModelInfo, ranges: Mapping[str, Range] | None = None
) -> None:  # fmt: skip
    """Hold the file against what the Model says of it.

    Args:
        file: The file, read back.
        info: Of the Model that it was made from.
        ranges: That the Model was trained with.

    Raises:
        UserError: A file of an integer scheme computes something in float, or in other ranges
            than training did; or the scheme changes nothing in this file.
        AssertionError: Types at the edges or of weights are not as they must be, or what the steps
            before promised of the weights is not true of the file.
    """
    plan = info.quantization
    integers = plan is not None and plan.scheme in INTEGER_SCHEMES
    # With exceptions ``precision`` looks at each operator, when the file is written.
    whole = plan is not None and not plan.float_layers
    if integers and whole and file.float_operators:
        raise UserError(
            f"convert: the plan says {info.scheme} and these operators still compute in float: "
            + "; ".join(file.float_operators),
            "replace those layers, or end the variant with quantize: {scheme: float16} or {scheme: "
            "dynamic}",
        )
    for tensor, given in zip((file.input, file.output), edges_of(info), strict=True):
        assert tensor.dtype == given.upper(), f"{tensor.name} is {tensor.dtype}, plan: {given}"
        assert given == "float32" or tensor.affine, f"{tensor.name} is {given} without a scale"
    if info.scheme == "dynamic":
        _hold_dynamic(file)
    elif whole:
        wide = [tensor.name for tensor in file.weights if tensor.dtype == "FLOAT32"]
        assert not wide, f"weights left in float32: {wide}"
    _hold_promises(file, info.promises)
    _hold_ranges(file, info.promises, ranges or {})


def _hold_dynamic(file: LiteFile) -> None:
    """Ask that all weights have 8 bits that can, and that there are some."""
    second = [
        graph.tensors[op.inputs[1]]
        for graph in file.subgraphs
        for op in graph.operators
        if op.name in _DYNAMIC
    ]
    wide = [
        tensor.name
        for tensor in second
        if tensor.role == "weight" and tensor.dtype == "FLOAT32" and tensor.elements >= _LEAST
    ]
    assert not wide, f"weights left in float32: {wide}"
    if all(tensor.dtype == "FLOAT32" for tensor in file.weights):
        raise UserError(
            "convert: the plan says dynamic, which stores weights of convolutions and dense layers "
            f"in 8 bits from {_LEAST:,} numbers on, and no weight of this model has so many: the "
            "file would be that of float32",
            "take scheme int8 or float16 for this variant, or leave quantize out",
        )


def edges_of(info: ModelInfo) -> tuple[DType, DType]:
    """Return the types of a file's input and output; float32 without a plan."""
    plan = info.quantization
    return (plan.input_type, plan.output_type) if plan else ("float32", "float32")


def _hold_promises(file: LiteFile, promises: Promises) -> None:
    zeros = promises.zeros
    assert file.zeros >= zeros, f"{zeros} weights were pruned and {file.zeros} are 0 in the file"
    for kernel in promises.shared:
        # Names do not survive the conversion, and counts of numbers do.
        alike = [tensor for tensor in file.weights if tensor.elements == kernel.weights]
        held = sum(_holds(tensor, kernel) for tensor in alike)
        asked = sum(
            other.weights == kernel.weights and other.unique <= kernel.unique
            for other in promises.shared
        )
        assert held >= asked, (
            f"{kernel.layer} was to have {kernel.unique} values a {kernel.per}: of "
            f"{len(alike)} tensors with {kernel.weights} weights in the file {held} have, "
            f"and {asked} must"
        )


def _holds(tensor: Tensor, kernel: SharedWeights) -> bool:
    """Whether a tensor has as few values as promised.

    Channels with scales of their own have integers of their own for equal values.
    """
    if kernel.per == "channel" or len(tensor.scales) > 1:
        channels = tensor.unique_per_channel
        return channels is not None and max(channels) <= kernel.unique
    return tensor.unique is not None and tensor.unique <= kernel.unique


def _hold_ranges(file: LiteFile, promises: Promises, ranges: Mapping[str, Range]) -> None:
    assert len(ranges) == promises.ranges, f"{promises.ranges} ranges, stored: {len(ranges)}"
    found = [
        _range(tensor)
        for subgraph in file.subgraphs
        for tensor in subgraph.tensors
        if not tensor.size_bytes and len(tensor.scales) == 1 and tensor.dtype.lower() in LIMITS
    ]
    lost = [
        name
        for name, (low, high) in ranges.items()
        if not any(
            max(abs(low - there[0]), abs(high - there[1])) <= _LEVEL * (high - low) / 255
            for there in found
        )
    ]
    if lost:
        raise UserError(
            "convert: the file computes these outputs in other ranges than they were trained in: "
            + ", ".join(lost),
            "write quantize: {scheme: int8} in place of quantize_aware for this variant, or "
            "replace those layers",
        )


def _range(tensor: Tensor) -> Range:
    """Return the lowest and the highest number that an integer tensor stands for."""
    (scale,), (zero_point,) = tensor.scales, tensor.zero_points
    low, high = LIMITS[tensor.dtype.lower()]
    return (scale * (low - zero_point), scale * (high - zero_point))
