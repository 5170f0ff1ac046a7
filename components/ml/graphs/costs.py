"""Costs: what a network computes and holds, counted from its graph; nothing is run.

References:
    A multiply-accumulate (MAC) is one weight times one number, added up: Howard et al., MobileNets,
    arXiv:1704.04861, section 3.
    Kernels compute a tile of output channels at once, 8 or 16 of them, full or not: the names of
    XNNPACK's say it, such as qs8-gemm 4x16c4 (https://github.com/google/XNNPACK).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from components.artifacts.cost_model import CostModel
from components.ml.graphs.calls import calls_of
from components.ml.runtime import tf_keras

_INT8_BYTES_A_CHANNEL = 28
"""Beside its weights: bias 4, scales of weights and bias 4 each, two zero points of 8 each."""

_TILE = 16
"""Output channels that a kernel computes at once."""

_KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel")

ShapeOf: TypeAlias = Callable[[Any, Any], tuple[int, ...]]
"""The shape of a weight, of a layer and the weight."""


@dataclass(frozen=True)
class LayerCosts:
    """What one layer costs, all its calls together.

    Attributes:
        name: Of the layer.
        kind: Its class.
        macs: Multiply-accumulates for one image; those of kernels alone, as is usual.
        padded_macs: As many as if its output channels were a multiple of 16, which is what a
            thin layer takes as much time as.
        parameters: Numbers in its weights, moving statistics included; once, however often
            it is called.
        activations: Numbers that it puts out for one image, where it has a kernel; else 0.
        int8_bytes: What an int8 file holds of it: a byte a weight of the kernels, and 28 bytes for
            each channel of their outputs; batch norms are folded into these.
        kernels: Count of its calls, where it has a kernel; else 0.
    """

    name: str
    kind: str
    macs: int = 0
    padded_macs: int = 0
    parameters: int = 0
    activations: int = 0
    int8_bytes: int = 0
    kernels: int = 0


@dataclass(frozen=True)
class Costs:
    """What a whole network costs; see ``LayerCosts``.

    Attributes:
        macs: Multiply-accumulates for one image.
        padded_macs: As many as if the output channels of every kernel were a multiple of 16.
        parameters: Numbers in the weights.
        activations: Numbers put out by layers with a kernel, for one image.
        int8_bytes: About what weights take in an int8 file, without its graph.
        kernels: Count of calls of layers with a kernel.
    """

    macs: int
    padded_macs: int
    parameters: int
    activations: int
    int8_bytes: int
    kernels: int


def costs_of(model: Any, shape_of: ShapeOf | None = None) -> Costs:
    """Count what a network costs.

    Args:
        model: Functional and flat, of one image size.
        shape_of: The shape that a weight is to be counted with, such as the one that it would have
            after pruning; None takes its own.

    Raises:
        ValueError: A tensor's size is open, so that nothing can be counted.
    """
    return total_of(layer_costs(model, shape_of))


def total_of(layers: Sequence[LayerCosts]) -> Costs:
    """Add up the costs of layers."""
    return Costs(
        macs=sum(layer.macs for layer in layers),
        padded_macs=sum(layer.padded_macs for layer in layers),
        parameters=sum(layer.parameters for layer in layers),
        activations=sum(layer.activations for layer in layers),
        int8_bytes=sum(layer.int8_bytes for layer in layers),
        kernels=sum(layer.kernels for layer in layers),
    )


NS_PER_MS = 1_000_000

CostValue: TypeAlias = Callable[[Costs], int]
"""What is to become less, as a whole number."""


def value_for(
    target: Literal["macs", "parameters", "bytes", "latency_ms"], model: CostModel | None
) -> CostValue:
    """Return the number that a target speaks of, of what a network costs.

    Args:
        target: Its name.
        model: What predicts latency, which is told in whole nanoseconds; None for all others.
    """
    if target == "latency_ms":
        assert model is not None, "latency is predicted by a cost model"
        return lambda costs: round(NS_PER_MS * model.latency_ms(asdict(costs)))
    field = {"macs": "macs", "parameters": "parameters", "bytes": "int8_bytes"}[target]
    return lambda costs: getattr(costs, field)


def layer_costs(model: Any, shape_of: ShapeOf | None = None) -> tuple[LayerCosts, ...]:
    """Count what each layer costs, in the order of the graph; see ``costs_of``."""
    shapes = shape_of or (lambda _, weight: tuple(weight.shape))
    found: dict[str, LayerCosts] = {}
    for call in calls_of(model):
        layer, sizes = call.layer, {}
        for kernel in multiplied_by(layer):
            sizes[id(kernel)] = math.prod(shapes(layer, kernel))
        before = found.get(layer.name)
        channels = _output_channels(layer, shapes)
        positions = _positions(call.output_shape, layer)
        read = _positions(call.input_shape, layer)
        times = read if isinstance(layer, _TRANSPOSED) else positions
        macs, activations = times * sum(sizes.values()), positions * (channels[-1:] or [0])[0]
        padded = times * sum(
            size // count * _full_tiles(count)
            for size, count in zip(sizes.values(), channels, strict=True)
        )
        if before is None:
            alphas = [weight for weight in layer.weights if weight is getattr(layer, "alpha", None)]
            before = LayerCosts(
                layer.name,
                type(layer).__name__,
                parameters=sum(math.prod(shapes(layer, weight)) for weight in layer.weights),
                int8_bytes=sum(sizes.values())
                + sum(math.prod(shapes(layer, alpha)) for alpha in alphas)
                + _INT8_BYTES_A_CHANNEL * sum(channels),
            )
        found[layer.name] = LayerCosts(
            before.name,
            before.kind,
            before.macs + macs,
            before.padded_macs + padded,
            before.parameters,
            before.activations + activations,
            before.int8_bytes,
            before.kernels + bool(sizes),
        )
    return tuple(found.values())


_TRANSPOSED = (tf_keras.layers.Conv2DTranspose,)


def multiplied_by(layer: Any) -> list[Any]:
    """Return the weights of a layer that numbers are multiplied by and added up over."""
    held = {id(weight) for weight in layer.weights}
    kernels = [getattr(layer, name, None) for name in _KERNELS]
    return [kernel for kernel in kernels if kernel is not None and id(kernel) in held]


def _full_tiles(channels: int) -> int:
    """Return the channels of as many tiles as it takes for so many."""
    return math.ceil(channels / _TILE) * _TILE


def _output_channels(layer: Any, shapes: ShapeOf) -> list[int]:
    """Return the channels that each kernel puts out."""
    channels: list[int] = []
    for kernel in multiplied_by(layer):
        shape = shapes(layer, kernel)
        if kernel is getattr(layer, "depthwise_kernel", None):
            channels.append(shape[-2] * shape[-1])
        else:
            channels.append(shape[-2] if isinstance(layer, _TRANSPOSED) else shape[-1])
    return channels


def _positions(shape: tuple[int | None, ...], layer: Any) -> int:
    """Return the number of places of a tensor, at each of which it has all its channels."""
    places = 1
    for size in shape[:-1]:
        if size is None:
            if not multiplied_by(layer):
                return 0  # what has no kernel counts no places
            raise ValueError(f"{layer.name}: its tensors have no fixed size, {shape}")
        places *= size
    return places
