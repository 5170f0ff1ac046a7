"""Residual blocks: layers whose answer is added to what they read, and which can be left out.

References:
    Veit et al., Residual Networks Behave Like Ensembles, arXiv:1605.06431.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.ml.graphs.calls import LayerCall, calls_of
from components.ml.networks import architecture
from components.ml.networks.arithmetic import Arithmetic
from components.ml.runtime import tf_keras


@dataclass(frozen=True, eq=False)
class ResidualBlock:
    """A block ``x + f(x)`` of which ``x`` can be left.

    Attributes:
        addition: Name of the layer that adds.
        layers: Names of the layers of ``f`` and of the one that adds, in the order of the graph.
        answer: Keras tensor ``f(x)``.
        skip: Which input of the addition is ``x``: 0 or 1.
    """

    addition: str
    layers: tuple[str, ...]
    answer: Any
    skip: int


def residual_blocks(model: Any) -> tuple[ResidualBlock, ...]:
    """Find the blocks that can be left out, in the order of the graph.

    A block is one where nothing outside reads what its layers put out, and none of these is
    used anywhere else, or frozen.

    Args:
        model: Functional and flat.
    """
    calls = list(calls_of(model))
    graph = _Readers(calls, {id(tensor) for tensor in model.outputs})
    found = (_block(call, graph) for call in calls if _adds(call))
    return tuple(block for block in found if block is not None)


def reasons_to_stay(model: Any) -> dict[str, str]:
    """Return the additions that end no such block, with the reason."""
    calls = list(calls_of(model))
    graph = _Readers(calls, {id(tensor) for tensor in model.outputs})
    return {
        call.layer.name: _reason(call, graph)
        for call in calls
        if _adds(call) and _block(call, graph) is None
    }


def without_blocks(model: Any, blocks: Sequence[ResidualBlock]) -> Any:
    """Return the network in which these blocks pass on what they read.

    Args:
        model: Functional and flat, with weights.
        blocks: Of its own.
    """
    description = json.loads(model.to_json())
    config = description["config"]
    entries = {entry["name"]: entry for entry in config["layers"]}
    gone = {name for block in blocks for name in block.layers}
    # Outer blocks may hold inner ones; of these nothing is left that could be connected.
    instead = {
        block.addition: entries[block.addition]["inbound_nodes"][0][block.skip][:3]
        for block in blocks
    }
    config["layers"] = [entry for entry in config["layers"] if entry["name"] not in gone]
    for entry in config["layers"]:
        entry["inbound_nodes"] = _connected(entry["inbound_nodes"], instead)
    config["output_layers"] = _connected(config["output_layers"], instead)
    shorter = architecture.build(description, model.name)
    for layer in shorter.layers:
        layer.set_weights(model.get_layer(layer.name).get_weights())
    return shorter


class _Readers:
    """Who makes and who reads each tensor."""

    def __init__(self, calls: Sequence[LayerCall], ends: Collection[int]) -> None:
        self.ends = ends
        self.maker: dict[int, LayerCall] = {}
        self.readers: dict[int, list[LayerCall]] = {}
        self.times: dict[str, int] = {}
        self.order = {id(call): at for at, call in enumerate(calls)}
        for call in calls:
            self.times[call.layer.name] = self.times.get(call.layer.name, 0) + 1
            for tensor in call.outputs:
                self.maker[id(tensor)] = call
            for tensor in call.inputs:
                self.readers.setdefault(id(tensor), []).append(call)


def _adds(call: LayerCall) -> bool:
    layer = call.layer
    adds = isinstance(layer, tf_keras.layers.Add) or (
        isinstance(layer, Arithmetic) and layer.operation == "add"
    )
    shapes = {tuple(tensor.shape) for tensor in call.inputs}
    return adds and len(call.inputs) == 2 and len(shapes) == 1


def _block(call: LayerCall, graph: _Readers) -> ResidualBlock | None:
    for skip in (0, 1):
        inside = _between(call.inputs[skip], call.inputs[1 - skip], graph)
        if inside and _alone([*inside, call], call, graph):
            layers = tuple(each.layer.name for each in [*inside, call])
            return ResidualBlock(call.layer.name, layers, call.inputs[1 - skip], skip)
    return None


def _reason(call: LayerCall, graph: _Readers) -> str:
    """Return why an addition ends no block that can be left out."""
    for skip in (0, 1):
        inside = _between(call.inputs[skip], call.inputs[1 - skip], graph)
        names = [each.layer.name for each in inside if graph.times[each.layer.name] > 1]
        if names:
            return f"{names[0]} is called elsewhere, too"
        names = [each.layer.name for each in inside if _frozen(each)]
        if names:
            return f"{names[0]}: teacher.freeze names it"
        if inside:
            return "what is inside of it is read outside, too"
    return "neither of its sides is what the other one reads"


def _between(start: Any, end: Any, graph: _Readers) -> list[LayerCall]:
    """Return the calls that lead from one tensor to another; none where more leads there."""
    inside: dict[int, LayerCall] = {}
    waiting = [end]
    while waiting:
        tensor = waiting.pop()
        if tensor is start:
            continue
        call = graph.maker.get(id(tensor))
        if call is None:  # the image
            return []
        if id(call) not in inside:
            inside[id(call)] = call
            waiting += call.inputs
    return sorted(inside.values(), key=lambda each: graph.order[id(each)])


def _frozen(call: LayerCall) -> bool:
    """Whether a layer has weights that are not trained."""
    return bool(call.layer.weights) and not call.layer.trainable


def _alone(calls: Sequence[LayerCall], last: LayerCall, graph: _Readers) -> bool:
    """Whether nothing outside reads what is inside, and no layer is used again or frozen."""
    inside = {id(call) for call in calls}
    if any(graph.times[call.layer.name] > 1 or _frozen(call) for call in calls):
        return False
    return not any(
        id(tensor) in graph.ends or any(id(each) not in inside for each in _readers(tensor, graph))
        for call in calls
        if call is not last
        for tensor in call.outputs
    )


def _readers(tensor: Any, graph: _Readers) -> list[LayerCall]:
    return graph.readers.get(id(tensor), [])


def _connected(nodes: Any, instead: Mapping[str, Sequence[Any]]) -> Any:
    """Return connections in which what is left out is replaced by what it read."""
    match nodes:
        case [str() as name, int(), int(), *rest]:
            place = list(nodes[:3])
            while name in instead:
                place = list(instead[name])
                name = place[0]
            return [*place, *rest]
        case list():
            return [_connected(node, instead) for node in nodes]
        case _:
            return nodes
