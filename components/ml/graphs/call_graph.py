"""The calls of a functional network: which layer reads whose output, and how to run them anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

from components.ml.graphs.calls import nodes_of
from components.ml.runtime import tf


@dataclass(frozen=True, eq=False)
class GraphCall:
    """One call of a layer.

    Attributes:
        name: Of the layer; the second call of it is ``layer#2``.
        layer: The ``tf_keras`` layer.
        sources: Names of the calls whose outputs it reads, in its order.
        node: Keras' own record of it.
    """

    name: str
    layer: Any
    sources: tuple[str, ...]
    node: Any

    @property
    def kind(self) -> str:
        """Name of the layer's class."""
        return type(self.layer).__name__

    @property
    def shape(self) -> tuple[int | None, ...]:
        """Of what it gives, images included."""
        return tuple(self.node.output_shapes)


Compute: TypeAlias = Callable[[GraphCall, tuple[Any, ...], dict[str, Any]], Any]
"""From a call with its arguments to what it gives."""


@dataclass(frozen=True, eq=False)
class CallGraph:
    """A network with one input and one output as the calls of its layers.

    Attributes:
        model: Functional, without models inside it: see ``flattening.flattened``.
        image: Name of its input.
        calls: All others, each behind what it reads.
        output: Name of the call that gives the output.
    """

    model: Any
    image: str
    calls: tuple[GraphCall, ...]
    output: str

    @classmethod
    def of(cls, model: Any) -> CallGraph:
        """Read the calls of a flat functional model."""
        made: dict[str, str] = {}  # the call that gave a tensor, by Keras' identity of it
        counts: dict[int, int] = {}
        calls: list[GraphCall] = []
        for node in nodes_of(model):
            layer = node.layer
            counts[id(layer)] = counts.get(id(layer), 0) + 1
            number = counts[id(layer)]
            name = layer.name if number == 1 else f"{layer.name}#{number}"
            made |= dict.fromkeys(node.flat_output_ids, name)
            if not node.is_input:
                sources = tuple(made[tensor] for tensor in node.flat_input_ids)
                calls.append(GraphCall(name, layer, sources, node))
        ends = [made[str(id(tensor))] for tensor in (*model.inputs, *model.outputs)]
        image, output = ends
        return cls(model, image, tuple(calls), output)

    @cached_property
    def readers(self) -> Mapping[str, tuple[GraphCall, ...]]:
        """The calls that read each call's output; none where the network ends."""
        found: dict[str, tuple[GraphCall, ...]] = dict.fromkeys(
            (self.image, *(call.name for call in self.calls)), ()
        )
        for call in self.calls:
            for source in dict.fromkeys(call.sources):
                found[source] += (call,)
        return found

    @cached_property
    def by_name(self) -> Mapping[str, GraphCall]:
        """The calls by their names."""
        return {call.name: call for call in self.calls}

    def run(self, image: Any, compute: Compute) -> Any:
        """Return the output for another input tensor, each call made by ``compute``.

        Args:
            image: What stands for the network's input.
            compute: Is given each call with the tensors that it reads in place of the network's.
        """
        tensors = {str(id(self.model.inputs[0])): image}
        for call in self.calls:
            uses = len(call.node.flat_input_ids)
            arguments, keywords = call.node.map_arguments(
                {key: [tensor] * uses for key, tensor in tensors.items()}
            )
            outputs = tf.nest.flatten(compute(call, arguments, keywords))
            tensors |= zip(call.node.flat_output_ids, outputs, strict=True)
        return tensors[str(id(self.model.outputs[0]))]
