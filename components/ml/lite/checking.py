"""Checking: a written file held against what its Model says of it."""

from __future__ import annotations

from components.artifacts.lite_model import DType
from components.artifacts.model import INTEGER_SCHEMES, ModelInfo
from components.contract.errors import UserError
from components.ml.lite.flatbuffer import LiteFile

_KEEPS_ZEROS = frozenset({"prune", "quantize"})
"""Steps after which a pruned weight is still 0."""


def refuse(file: LiteFile, info: ModelInfo) -> None:
    """Hold the file against what the Model says of it.

    Raises:
        UserError: A file of an integer scheme computes something in float.
        AssertionError: Types at the edges or zeros of pruned weights are not as they must be.
    """
    plan = info.quantization
    integers = plan is not None and plan.scheme in INTEGER_SCHEMES
    # With exceptions ``precision`` looks at each operator, when the file is written.
    whole = plan is not None and not plan.float_layers
    if integers and whole and file.float_operators:
        raise UserError(
            f"convert: the plan says {info.scheme} and these operators still compute in float: "
            + "; ".join(file.float_operators),
            "take scheme dynamic or float16 for this variant, or replace those layers",
        )
    for tensor, given in zip((file.input, file.output), edges_of(info), strict=True):
        assert tensor.dtype == given.upper(), f"{tensor.name} is {tensor.dtype}, plan: {given}"
        assert given == "float32" or tensor.affine, f"{tensor.name} is {given} without a scale"
    if whole and info.scheme != "dynamic":
        wide = [tensor.name for tensor in file.weights if tensor.dtype == "FLOAT32"]
        assert not wide, f"weights left in float32: {wide}"
    zeros = pruned_zeros(info)
    assert file.zeros >= zeros, f"{zeros} weights were pruned and {file.zeros} are 0 in the file"


def edges_of(info: ModelInfo) -> tuple[DType, DType]:
    """Return the types of a file's input and output; float32 without a plan."""
    plan = info.quantization
    return (plan.input_type, plan.output_type) if plan else ("float32", "float32")


def pruned_zeros(info: ModelInfo) -> int:
    """Return how many weights must be 0: as many as the last prune step left.

    A step after it that trains, and does not keep zeros, takes the promise away; so does pruning of
    channels or layers.
    """
    for step in reversed(info.steps):
        if step["component"] == "prune":
            return int(step.get("zeros", 0))
        if step["component"] not in _KEEPS_ZEROS:
            return 0
    return 0
