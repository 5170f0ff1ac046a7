"""Folding: batch norms become part of the kernel and bias of the layer before them.

What is stored in a file for a phone has its batch norms folded. Weights that are rounded or shared
before that would come apart again, because folding multiplies every output channel by a number of
its own; so what works on single weights works on a folded network.

References:
    Jacob et al., Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference, arXiv:1712.05877 (section 3.2).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from components.ml.graphs.call_graph import CallGraph, GraphCall
from components.ml.graphs.flattening import flattened
from components.ml.graphs.kernels import Kernel, kernels_of
from components.ml.runtime import tf_keras

_INPUT = "image"
_NORM = "BatchNormalization"
_SEPARATED = {
    "SeparableConv1D": (tf_keras.layers.DepthwiseConv1D, tf_keras.layers.Conv1D),
    "SeparableConv2D": (tf_keras.layers.DepthwiseConv2D, tf_keras.layers.Conv2D),
}
"""Layers that are two operators of a file, each with a kernel."""


@dataclass(frozen=True, eq=False)
class Folded:
    """A network whose batch norms are folded where they can be.

    Attributes:
        model: Functional, of plain layers without models inside; the outputs are the same. A layer
            that a file has several operators for is several layers: convolutions by steps, and
            activations other than ReLU.
        norms: Names of the batch norms that are gone, each with the layer that has taken it in.
        left: Why each of the others is still there.
    """

    model: Any
    norms: Mapping[str, str]
    left: Mapping[str, str]


def fold(model: Any, image_shape: tuple[int, int, int]) -> Folded:
    """Return the same function with batch norms folded into the layers that they alone follow.

    Args:
        model: Sequential or functional, also with models inside it; it stays as it is.
        image_shape: Height, width and channels, where the model leaves them open.
    """
    graph = CallGraph.of(flattened(model, image_shape))
    before, left = _pairs(graph)
    norms = {id(layer): norm for norm, layer in before.values()}
    gone = {id(norm) for norm, _ in before.values()}
    copies: dict[int, tuple[Any, tuple[Any, ...]]] = {}
    names = {layer.name for layer in graph.model.layers}

    def compute(call: GraphCall, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        if id(call.layer) in gone:
            return arguments[0]
        if id(call.layer) not in copies:
            parts = tuple(_parts(call.layer, id(call.layer) in norms, names))
            copies[id(call.layer)] = (call.layer, parts)
        first, *others = copies[id(call.layer)][1]
        output = first(*arguments, **keywords)
        for part in others:
            output = part(output)
        return output

    image = tf_keras.Input(image_shape, name=_INPUT if _INPUT not in names else graph.image)
    result = tf_keras.Model(image, graph.run(image, compute), name=graph.model.name)
    for layer, parts in copies.values():
        norm = norms.get(id(layer))
        weights = layer.get_weights() if norm is None else _weights(layer, norm)
        for part in parts:
            count = len(part.weights)
            part.set_weights(weights[:count])
            weights = weights[count:]
        assert not weights, f"{layer.name} has more weights than its parts"
    return Folded(result, {norm: layer.name for norm, (_, layer) in before.items()}, left)


def _parts(layer: Any, normed: bool, names: set[str]) -> Iterator[Any]:
    """Yield the layers that one becomes, without weights: one for each operator of the file.

    Args:
        layer: Of the network as it came.
        normed: Whether it takes in a batch norm, and so needs a bias.
        names: Of all layers so far; those of new ones are added.
    """
    config = layer.get_config()
    if normed:
        config |= {"use_bias": True, "bias_initializer": "zeros"}
    activation = config.get("activation") if kernels_of(layer) else None
    apart = activation not in (None, "linear", "relu", "relu6")
    if apart:
        config["activation"] = "linear"
    if type(layer).__name__ in _SEPARATED:
        depthwise, pointwise = _SEPARATED[type(layer).__name__]
        shared = {key: config[key] for key in ("name", "trainable", "dtype", "activation")}
        moves = ("kernel_size", "strides", "padding", "dilation_rate", "depth_multiplier")
        yield depthwise(
            **{key: config[key] for key in ("trainable", "dtype", *moves)},
            use_bias=False, name=_unused(f"{layer.name}_depthwise", names),
        )  # fmt: skip
        yield pointwise(config["filters"], 1, use_bias=config["use_bias"], **shared)
    else:
        yield type(layer).from_config(config)
    if apart:
        name = _unused(f"{layer.name}_activation", names)
        yield tf_keras.layers.Activation(layer.activation, name=name)


def _unused(name: str, names: set[str]) -> str:
    """Return the name, or that with a number, and take it."""
    number, unused = 1, name
    while unused in names:
        number += 1
        unused = f"{name}_{number}"
    names.add(unused)
    return unused


def _pairs(graph: CallGraph) -> tuple[dict[str, tuple[Any, Any]], dict[str, str]]:
    """Return each batch norm that can be folded with its layer, and why others cannot."""
    calls_of: dict[int, list[GraphCall]] = {}
    for call in graph.calls:
        calls_of.setdefault(id(call.layer), []).append(call)
    pairs: dict[str, tuple[Any, Any]] = {}
    left: dict[str, str] = {}
    for calls in calls_of.values():
        norm = calls[0].layer
        if calls[0].kind != _NORM:
            continue
        reason = _reason(graph, calls, calls_of)
        if reason is None:
            pairs[norm.name] = (norm, graph.by_name[calls[0].sources[0]].layer)
        else:
            left[norm.name] = reason
    return pairs, left


def _reason(
    graph: CallGraph, calls: list[GraphCall], calls_of: Mapping[int, list[GraphCall]]
) -> str | None:  # fmt: skip
    """Return why the batch norm of these calls cannot be folded; None where it can."""
    norm, source = calls[0].layer, calls[0].sources[0]
    if source == graph.image:
        return "it reads the image"
    before = graph.by_name[source]
    layer = before.layer
    sources = {name for call in calls for name in call.sources}
    uses = calls_of[id(layer)]
    reasons = {
        f"it follows {layer.name}, a {before.kind}": not kernels_of(layer),
        "it norms another axis than the channels": tuple(norm.axis) != (len(before.shape) - 1,),
        f"{layer.name} applies its activation before it": not _is_linear(layer),
        "it follows several layers": any(name not in {u.name for u in uses} for name in sources),
        f"others read {layer.name}, too": any(
            use.name == graph.output or any(r.layer is not norm for r in graph.readers[use.name])
            for use in uses
        ),
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def _is_linear(layer: Any) -> bool:
    linear = tf_keras.activations.linear
    return getattr(layer, "activation", linear) is linear


def _weights(layer: Any, norm: Any) -> list[np.ndarray]:
    """Return the weights of a layer that computes what it and its batch norm did."""
    mean_x, variance_x = (
        np.asarray(value, np.float64) for value in (norm.moving_mean, norm.moving_variance)
    )
    gamma_x = np.asarray(norm.gamma, np.float64) if norm.scale else np.ones_like(mean_x)
    beta_x = np.asarray(norm.beta, np.float64) if norm.center else np.zeros_like(mean_x)
    factor_x = gamma_x / np.sqrt(variance_x + norm.epsilon)
    bias_x = np.asarray(layer.bias, np.float64) if layer.use_bias else np.zeros_like(mean_x)
    *before, last = kernels_of(layer)
    kernel = np.asarray(last.variable, np.float64) * _along_channels(last, factor_x)
    weights = [kernel, (bias_x - mean_x) * factor_x + beta_x]
    kept = [each.variable.numpy() for each in before]
    return [*kept, *(np.asarray(weight, np.float32) for weight in weights)]


def _along_channels(kernel: Kernel, factor_x: np.ndarray) -> np.ndarray:
    """Shape one number for each output channel so that it multiplies the kernel."""
    within = set(kernel.within_axes)
    return factor_x.reshape([1 if axis in within else n for axis, n in enumerate(kernel.shape)])
