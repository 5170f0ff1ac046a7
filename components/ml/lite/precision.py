"""Precision: in which type every operator of a written file computes, held against the plan."""

from __future__ import annotations

from collections.abc import Sequence

from components.artifacts.model import QuantizationPlan
from components.contract.errors import UserError
from components.ml.lite.flatbuffer import FLOATS, LiteFile, Operator, Subgraph
from components.ml.lite.layers import LiteLayer

_BORDERS = frozenset({"QUANTIZE", "DEQUANTIZE"})
NARROW = frozenset({"CONV_2D", "FULLY_CONNECTED"})
"""Operators whose weights have 4 bits under w4a8: no others have kernels for them."""


def refuse_other_precision(
    file: LiteFile, plan: QuantizationPlan, layers: Sequence[LiteLayer], kept: frozenset[str]
) -> None:
    """Ask that exactly the layers which the plan excepts compute in float.

    Args:
        file: The file of an integer scheme, with the names of its tensors.
        plan: What was asked for.
        layers: All layers of the float file that it was made of.
        kept: Names of the tensors that the excepted layers write.

    Raises:
        UserError: Something else computes in float as well, or no weight is left that w4a8 could
            store in 4 bits.
        AssertionError: An excepted layer computes in integers, or an integer type is not the
            scheme's.
    """
    graph = file.subgraphs[0]
    others = [
        op for op in graph.operators if _in_float(graph, op) and not _excepted(graph, op, kept)
    ]
    if others:
        raise _too_much_float(plan, layers, graph, others)
    floats = float_outputs(file)
    assert kept <= floats, f"planned in float and computed in integers: {sorted(kept - floats)}"
    if plan.scheme == "w4a8":
        _check_w4a8(graph, kept)
    if plan.scheme == "int16x8":
        narrow = [
            graph.tensors[index].name
            for op in graph.operators
            for index in op.outputs
            if graph.tensors[index].dtype == "INT8"
        ]
        assert not narrow, f"int16x8 with activations of 8 bits: {narrow}"


def float_outputs(file: LiteFile) -> frozenset[str]:
    """Return the names of the tensors that operators compute in float, conversions left out."""
    graph = file.subgraphs[0]
    return frozenset(
        graph.tensors[index].name
        for op in graph.operators
        if op.name not in _BORDERS
        for index in op.outputs
        if graph.tensors[index].dtype in FLOATS
    )


def weights_of(graph: Subgraph, op: Operator) -> str | None:
    """Return the type of the weights of a convolution or dense layer; None of anything else."""
    if op.name not in NARROW:
        return None
    tensor = graph.tensors[op.inputs[1]]
    return tensor.dtype if tensor.size_bytes else None


def _check_w4a8(graph: Subgraph, kept: frozenset[str]) -> None:
    quantized = [op for op in graph.operators if not kept & _written(graph, op)]
    types = [found for op in quantized if (found := weights_of(graph, op))]
    if not types:
        raise UserError(
            "convert: w4a8 stores weights of convolutions and dense layers in 4 bits, and the "
            "model has none besides those in float_layers",
            "take scheme: int8",
        )
    assert set(types) == {"INT4"}, f"w4a8 with weights of {sorted(set(types))}"


def _too_much_float(
    plan: QuantizationPlan, layers: Sequence[LiteLayer], graph: Subgraph, others: Sequence[Operator]
) -> UserError:
    """Name layers and operators; borders are there because of those and are not named."""
    names = {output: layer.name for layer in layers for output in layer.outputs}
    told = [
        (next((names[output] for output in _decided(graph, op) if output in names), None), op.name)
        for op in others
        if op.name not in _BORDERS
    ] or [(None, op.name) for op in others]
    listed = "; ".join(f"{name} ({op})" if name else op for name, op in told)
    named = sorted({name for name, _ in told if name} | {*plan.float_layers})
    return UserError(
        f"convert: the plan says {plan.scheme} and these operators still compute in float: "
        f"{listed}",
        "replace those layers; or end the variant with quantize: {scheme: float16}, {scheme: "
        f"dynamic}}, or {{scheme: {plan.scheme}, float_layers: [{', '.join(named)}]}}",
    )


def _in_float(graph: Subgraph, op: Operator) -> bool:
    touched = [graph.tensors[index] for index in (*op.inputs, *op.outputs) if index >= 0]
    return any(tensor.dtype in FLOATS for tensor in touched)


def _excepted(graph: Subgraph, op: Operator, kept: frozenset[str]) -> bool:
    """Whether an operator may touch float: an excepted one, or a border of one or of the file."""
    if op.name not in _BORDERS:
        return bool(kept & _decided(graph, op))
    if op.name == "QUANTIZE":
        source = op.inputs[0]
        makers = (other for other in graph.operators if source in other.outputs)
        return source in graph.inputs or any(kept & _written(graph, one) for one in makers)
    target = op.outputs[0]
    readers = [other for other in graph.operators if target in other.inputs]
    return target in graph.outputs or (
        bool(readers) and all(kept & _decided(graph, one) for one in readers)
    )


def _decided(graph: Subgraph, op: Operator) -> frozenset[str]:
    """Return the tensors whose layer an operator is of; a comparison is of those that read it."""
    written = [graph.tensors[index] for index in op.outputs]
    if any(tensor.dtype != "BOOL" for tensor in written):
        return frozenset(tensor.name for tensor in written)
    readers = [other for other in graph.operators if {*op.outputs} & {*other.inputs}]
    return frozenset[str]().union(*(_written(graph, other) for other in readers))


def _written(graph: Subgraph, op: Operator) -> frozenset[str]:
    return frozenset(graph.tensors[index].name for index in op.outputs)
