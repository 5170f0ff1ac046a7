"""Layers of a float ``.tflite``: its operators under the names that the Keras layers had.

The converter joins the names of all layers that it fuses into one operator, each with the path
of its model before it, such as ``net/relu/Relu;net/norm/FusedBatchNormV3;net/conv/Conv2D1``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from components.artifacts.model import QuantizationPlan
from components.contract.errors import UserError, suggest
from components.ml.lite.flatbuffer import LiteFile, Operator, Subgraph

OUTPUT = "output"
"""What the layer that writes the output is called besides its own name, which may be lost."""

_SCOPES = frozenset({"Tensordot", "batchnorm", "separable_conv2d"})
"""What TensorFlow writes between the name of a layer and that of an operator in it."""


@dataclass(frozen=True)
class LiteLayer:
    """Operators that one layer of the network became, with what was fused into them.

    Attributes:
        name: Of the layer that has the weights, or of the last one where none has.
        aliases: Names of all layers in it, ``name`` among them.
        operators: Names in the schema, such as CONV_2D.
        outputs: Names of the tensors that they write.
        weights: Count of trained numbers.
    """

    name: str
    aliases: frozenset[str]
    operators: tuple[str, ...]
    outputs: tuple[str, ...]
    weights: int


def layers_of(file: LiteFile) -> tuple[LiteLayer, ...]:
    """Return the layers of a float file in the order in which they run.

    Args:
        file: The file; one with its names.
    """
    graph = file.subgraphs[0]
    found: dict[str, LiteLayer] = {}
    made_by: dict[int, str] = {}
    for op in graph.operators:
        if not any(graph.tensors[index].dtype == "FLOAT32" for index in op.outputs):
            continue  # computes shapes or places, which are integers anyway
        layer = _layer(graph, op)
        if layer.name == OUTPUT:  # its name is lost: an activation, or what makes vectors length 1
            last = next((made_by[index] for index in op.inputs if index in made_by), OUTPUT)
            layer = replace(layer, name=last, aliases=layer.aliases | {last})
        before = found.get(layer.name)
        found[layer.name] = layer if before is None else _joined(before, layer)
        made_by |= dict.fromkeys(op.outputs, layer.name)
    return tuple(found.values())


def excepted(
    layers: Sequence[LiteLayer], plan: QuantizationPlan, *, where: str
) -> tuple[LiteLayer, ...]:
    """Return the layers that a plan leaves in float.

    Args:
        layers: All there are.
        plan: Has some of their names or aliases.
        where: How an error begins, such as "quantize".

    Raises:
        UserError: There is no layer of a name, or the last one's answers are rounded all the same.
    """
    known = {alias for layer in layers for alias in layer.aliases}
    for name in plan.float_layers:
        if name not in known:
            raise UserError(
                f"{where}: float_layers: the model has no layer {name!r}", suggest(name, known)
            )
    found = tuple(layer for layer in layers if layer.aliases & {*plan.float_layers})
    last = next((layer for layer in found if OUTPUT in layer.aliases), None)
    if last and plan.output_type != "float32":
        raise UserError(
            f"{where}: float_layers: {last.name} makes the output, and output_type "
            f"{plan.output_type} rounds it to 8 bits again",
            f"leave output_type away, or {last.name} out of float_layers",
        )
    return found


def outputs_of(layers: Iterable[LiteLayer]) -> frozenset[str]:
    """Return the names of all tensors that layers write."""
    return frozenset(name for layer in layers for name in layer.outputs)


def _joined(one: LiteLayer, other: LiteLayer) -> LiteLayer:
    return LiteLayer(
        name=one.name,
        aliases=one.aliases | other.aliases,
        operators=(*one.operators, *other.operators),
        outputs=(*one.outputs, *other.outputs),
        weights=one.weights + other.weights,
    )


def _layer(graph: Subgraph, op: Operator) -> LiteLayer:
    tensors = [graph.tensors[index] for index in op.inputs if index >= 0]
    constants = [tensor for tensor in tensors if tensor.size_bytes and tensor.dtype == "FLOAT32"]
    outputs = tuple(graph.tensors[index].name for index in op.outputs)
    paths = [path for name in outputs for part in name.split(";") if (path := _path(part))]
    held = [path for one in constants if (path := _path(one.name.split(";")[-1]))]
    inside = {part for path in paths for part in path}
    if paths:  # constants of an operator lie deeper than its layer: "net/rescaling/Cast/x"
        held = [path for path in held if path[-1] in inside]
    ends = any(index in graph.outputs for index in op.outputs)
    name = [*(path[-1] for path in held[:1]), *(path[-1] for path in paths[-1:]), outputs[0]][0]
    if name == outputs[0] and ends:
        name = OUTPUT
    aliases = {name, *inside, *(part for path in held for part in path)}
    return LiteLayer(
        name=name,
        aliases=frozenset({*aliases, OUTPUT} if ends else aliases),
        operators=(op.name,),
        outputs=outputs,
        weights=sum(tensor.elements for tensor in constants),
    )


def _path(name: str) -> tuple[str, ...]:
    """Return the layers that a tensor lies in, outer ones first, without the model's name."""
    parts = name.split("/")[1:-1]
    while len(parts) > 1 and parts[-1] in _SCOPES:
        parts.pop()
    return tuple(parts)
