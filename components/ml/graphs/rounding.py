"""Rounding: which outputs of a network become integers in an int8 file, and in which ranges.

The converter fuses operators, and a fused one has no output of its own that could be rounded. A
network that is trained through its rounding has to round where the file will, and nowhere else: one
fake quantization too many keeps two operators from being fused, and one too few is a range that the
file has and training has not seen.

References:
    Jacob et al., Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference, arXiv:1712.05877 (section 3).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from components.ml.graphs.call_graph import CallGraph, GraphCall
from components.ml.graphs.scaling import product_of
from components.ml.runtime import tf_keras

Range: TypeAlias = tuple[float, float]
"""Lowest and highest value that 256 levels stand for; 0 lies between them."""

_STEPS = 255
_NOTHING = frozenset(
    {"Dropout", "GaussianDropout", "GaussianNoise", "Identity", "SpatialDropout2D"}
)
"""Layers that are not there once training has ended."""
_SAME_LEVELS = _NOTHING | {
    "AveragePooling1D", "AveragePooling2D", "Cropping2D", "Flatten", "GlobalMaxPooling1D",
    "GlobalMaxPooling2D", "MaxPooling1D", "MaxPooling2D", "Permute", "Reshape", "Resizing",
    "UpSampling2D", "ZeroPadding2D",
}  # fmt: skip
"""Layers whose output has the levels of their input: the operators know no others."""
_MOVING = frozenset({"expand_dims", "slice", "squeeze"})
"""Operations of the layer Arithmetic that are like these."""
_FUSING = frozenset(
    {
        "Add", "BatchNormalization", "Conv1D", "Conv2D", "Conv2DTranspose", "Dense",
        "DepthwiseConv1D", "DepthwiseConv2D", "Multiply", "Normalization", "Rescaling",
        "SeparableConv1D", "SeparableConv2D", "Subtract",
    }
)  # fmt: skip
"""Layers whose operator takes in a ReLU that follows it."""
_BOUNDED: Mapping[Any, Range] = {
    tf_keras.activations.sigmoid: (0.0, 255 / 256),
    tf_keras.activations.softmax: (0.0, 255 / 256),
    tf_keras.activations.tanh: (-1.0, 127 / 128),
}
"""Activations whose int8 operator has one range, whatever goes in."""


def rounded_outputs(graph: CallGraph) -> dict[str, Range | None]:
    """Return the calls whose output is rounded, in order, each with its range.

    A call that multiplies and then adds rounds twice: see ``scaling.product_of``.

    Args:
        graph: Of a network with its batch norms folded; its input is rounded, too, and not listed.

    Returns:
        A range where the operator has no other; None where it follows from what the call gives.
    """
    unrounded = set(_inside_activations(graph))
    rounded: dict[str, Range | None] = {}
    for call in graph.calls:
        if _same_levels(call) or call.name in unrounded:
            continue
        if (product := product_of(call)) is not None:
            rounded[product] = None
        if _taken_in(graph, call) or _takes_levels(graph, call):
            continue
        rounded[call.name] = _bounds(call)
    return rounded


def _same_levels(call: GraphCall) -> bool:
    if call.kind == "Arithmetic":
        return call.layer.operation in _MOVING
    if call.kind in ("Resizing", "UpSampling2D"):
        return call.layer.interpolation in ("nearest", "bilinear")
    return call.kind in _SAME_LEVELS or _is(call, "linear")


def _taken_in(graph: CallGraph, call: GraphCall) -> bool:
    """Whether the only reader is a ReLU that the call's operator computes, too."""
    readers = list(_readers(graph, call.name))
    return len(readers) == 1 and _fuses(call) and _is_relu(readers[0])


def _takes_levels(graph: CallGraph, call: GraphCall) -> bool:
    """Whether the only reader is an operator that asks for its own levels in what it reads."""
    readers = list(_readers(graph, call.name))
    if len(readers) != 1 or readers[0] is None or not _computes(call):
        return False
    return _one_range_for_all(readers[0]) or _is_other_relu(readers[0])


def _computes(call: GraphCall) -> bool:
    """Whether an operator can give its output in any levels; some know one range alone."""
    return _bounds(call) is None and not _one_range_for_all(call)


def _one_range_for_all(call: GraphCall) -> bool:
    """Whether an operator has the same levels in all that it reads and in what it gives."""
    if call.kind == "Arithmetic":
        return call.layer.operation in ("maximum", "minimum")
    return call.kind in ("Concatenate", "Maximum", "Minimum")


def _fuses(call: GraphCall) -> bool:
    """Whether a ReLU behind it becomes part of it; the last part of a layer decides."""
    if call.kind not in _FUSING:
        return False
    return getattr(call.layer, "activation", None) in (None, tf_keras.activations.linear)


def _is_nothing(call: GraphCall) -> bool:
    return call.kind in _NOTHING or _is(call, "linear")


def _readers(graph: CallGraph, name: str) -> Iterator[GraphCall | None]:
    """Yield who reads an output, through layers that are not there; None where it leaves."""
    if name == graph.output:
        yield None
    for reader in graph.readers[name]:
        if _is_nothing(reader):
            yield from _readers(graph, reader.name)
        else:
            yield reader


def _is_other_relu(call: GraphCall) -> bool:
    """Whether it is a ReLU with an upper end that no operator has: MINIMUM, then RELU."""
    return call.kind == "ReLU" and call.layer.max_value not in (None, 6)


def _is_relu(call: GraphCall | None) -> bool:
    if call is None:
        return False
    if call.kind == "ReLU":
        plain = not float(call.layer.negative_slope or 0) and not float(call.layer.threshold or 0)
        return plain and call.layer.max_value in (None, 6)
    return _is(call, "relu") or _is(call, "relu6")


def _is(call: GraphCall, activation: str) -> bool:
    """Whether the call is of a layer Activation with this function."""
    return call.kind == "Activation" and call.layer.activation.__name__ == activation


def _inside_activations(graph: CallGraph) -> Iterator[str]:
    """Yield the calls inside of hard sigmoids and hard swishes.

    Both are ``relu6(x + 3) / 6``, of which a hard swish is ``x`` times that. The converter makes
    one operator of a hard swish: it rounds what goes in and what comes out. Of a hard sigmoid the
    sum and the ReLU become part of what gives ``x``, and the division stays by itself.
    """
    for call in graph.calls:
        chain = _hard_sigmoid(graph, call)
        if chain is None:
            continue
        source, (first, relu, last) = call.sources[0], chain
        yield first.name
        readers = list(_readers(graph, last.name))
        swish = (
            len(readers) == 1
            and readers[0] is not None
            and readers[0].kind == "Multiply"
            and source in readers[0].sources
        )
        if swish:
            yield from (relu.name, last.name)
        elif list(_readers(graph, source)) == [call] and _fuses_source(graph, source):
            yield source


def _fuses_source(graph: CallGraph, name: str) -> bool:
    return name != graph.image and _fuses(graph.by_name[name])


def _hard_sigmoid(
    graph: CallGraph, first: GraphCall
) -> tuple[GraphCall, GraphCall, GraphCall] | None:
    """Return the three calls of ``relu6(x + 3) / 6`` that begin with this one, if they do."""
    if not _rescales(first, 1.0, 3.0):
        return None
    relus = list(_readers(graph, first.name))
    if len(relus) != 1 or relus[0] is None or not _is_relu6(relus[0]):
        return None
    scaled = list(_readers(graph, relus[0].name))
    if len(scaled) != 1 or scaled[0] is None or not _rescales(scaled[0], 1 / 6, 0.0):
        return None
    return first, relus[0], scaled[0]


def _is_relu6(call: GraphCall) -> bool:
    if call.kind == "ReLU":
        return _is_relu(call) and call.layer.max_value == 6
    return _is(call, "relu6")


def _rescales(call: GraphCall, scale: float, offset: float) -> bool:
    if call.kind != "Rescaling":
        return False
    layer = call.layer
    if isinstance(layer.scale, list | tuple) or isinstance(layer.offset, list | tuple):
        return False
    return abs(float(layer.scale) - scale) < 1e-6 and abs(float(layer.offset) - offset) < 1e-6


def nudged(low: float, high: float) -> Range:
    """Return the range whose 256 levels hold 0 exactly, as near as it gets.

    TensorFlow and the converter round the level of 0 differently where it lies half-way.
    """
    step = (high - low) / _STEPS
    zero = min(max(math.ceil(-low / step - 0.5), 0), _STEPS)
    return (-zero * step, (_STEPS - zero) * step)


def _bounds(call: GraphCall) -> Range | None:
    if call.kind == "UnitNormalization":
        return (-1.0, 127 / 128)
    if call.kind == "Softmax":
        return _BOUNDED[tf_keras.activations.softmax]
    return _BOUNDED.get(getattr(call.layer, "activation", None))
