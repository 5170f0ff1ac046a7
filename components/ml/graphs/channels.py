"""The channels of a network: which can be removed, and which only together.

A *unit* is a set of channels, of one tensor or of many, that can only be removed together: the
channels that an addition adds up, a convolution's channel and its place in the batch norm behind
it. A *group* is a set of units of which any number can be removed: the width of some layers.

References:
    Fang et al., DepGraph: Towards Any Structural Pruning, arXiv:2301.12900.

Shapes: c channels of one tensor, u units.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from components.ml.graphs.calls import calls_of
from components.ml.graphs.channel_labels import Labels
from components.ml.graphs.channel_rules import outputs_of_call
from components.ml.runtime import tf_keras


@dataclass(frozen=True, eq=False)
class LayerChannels:
    """The units that the channels of a layer belong to.

    Attributes:
        layer: The layer.
        inputs_c: Unit of each channel that goes in.
        outputs_c: Unit of each channel that comes out.
    """

    layer: Any
    inputs_c: np.ndarray
    outputs_c: np.ndarray


@dataclass(frozen=True, eq=False)
class Group:
    """Units of which any number can be removed.

    Attributes:
        layers: Names of the layers that make these channels.
        units_u: Its units.
        channels_per_unit: Channels of one layer that go with each unit; 1 but for groups of a
            convolution and the like.
        frozen: Why none of them can be removed, or None.
    """

    layers: tuple[str, ...]
    units_u: np.ndarray
    channels_per_unit: int
    frozen: str | None


@dataclass(frozen=True, eq=False)
class Channels:
    """The channels of a whole network.

    Attributes:
        layers: Of every layer whose configuration or weights depend on channels, by name.
        groups: In the order of the graph.
        units: More than the largest unit.
    """

    layers: Mapping[str, LayerChannels]
    groups: tuple[Group, ...]
    units: int


def makes_channels(layer: Any) -> bool:
    """Whether the width of a layer is its own and not that of what it reads."""
    return "filters" in _config(layer) or "units" in _config(layer)


def channels_of(model: Any) -> Channels:
    """Find which channels of a network can be removed.

    Args:
        model: Functional and flat, of one image size; its inputs and outputs keep their channels.
    """
    labels = Labels()
    of_tensor: dict[int, np.ndarray] = {}
    layers: dict[str, LayerChannels] = {}
    for tensor in model.inputs:
        of_tensor[id(tensor)] = image_c = labels.new(tensor.shape[-1])
        labels.freeze(image_c, "it is the image")
    for call in calls_of(model):
        inputs = [of_tensor[id(tensor)] for tensor in call.inputs]
        outputs_c = outputs_of_call(labels, call, inputs)
        if not call.layer.trainable and call.layer.weights:
            for labels_c in (*inputs, outputs_c):
                labels.freeze(labels_c, f"{call.layer.name}: teacher.freeze names it")
        of_tensor |= {id(tensor): outputs_c for tensor in call.outputs}
        if _depends_on_channels(call.layer):
            known = layers.setdefault(
                call.layer.name, LayerChannels(call.layer, inputs[0], outputs_c)
            )
            labels.tie(known.inputs_c, inputs[0])  # a layer that is called again is the same one
            labels.tie(known.outputs_c, outputs_c)
    for tensor in model.outputs:
        labels.freeze(of_tensor[id(tensor)], "it is the answer")
    found = {
        name: LayerChannels(each.layer, labels.roots(each.inputs_c), labels.roots(each.outputs_c))
        for name, each in layers.items()
    }
    units = 1 + max(
        (int(part.max(initial=0)) for each in found.values()
         for part in (each.inputs_c, each.outputs_c)), default=0,
    )  # fmt: skip
    return Channels(found, _groups(found, labels), units)


def _groups(layers: Mapping[str, LayerChannels], labels: Labels) -> tuple[Group, ...]:
    """Put units together that are channels of the same layers, equally often in each."""
    makers: dict[int, list[tuple[str, int]]] = {}
    for name, each in layers.items():
        if makes_channels(each.layer):
            for unit, times in Counter(each.outputs_c.tolist()).items():
                makers.setdefault(unit, []).append((name, times))
    together: dict[tuple[object, ...], list[int]] = {}
    for unit, made_by in makers.items():
        together.setdefault((labels.reason(unit), *made_by), []).append(unit)
    return tuple(
        Group(
            layers=tuple(dict.fromkeys(name for name, _ in makers[units[0]])),
            units_u=np.array(units),
            channels_per_unit=max(times for _, times in makers[units[0]]),
            frozen=labels.reason(units[0]),
        )
        for units in together.values()
    )


def _depends_on_channels(layer: Any) -> bool:
    return bool(layer.weights) or isinstance(layer, tf_keras.layers.Reshape)


def _config(layer: Any) -> Mapping[str, Any]:
    return layer.get_config()
