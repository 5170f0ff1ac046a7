"""What each kind of layer does with the labels of channels; see ``channel_labels``.

A kernel reads some channels and makes new ones. Most other layers treat each channel alone and pass
it on. Additions and the like tie channels to each other, concatenation puts them in a row. What
computes across channels without a kernel (softmax, layer normalization) needs all of them, and so
does every layer that is not listed here: what these touch is frozen, and the reason says why.

Shapes: c channels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from components.ml.graphs.calls import LayerCall
from components.ml.graphs.channel_labels import Labels
from components.ml.networks.arithmetic import Arithmetic
from components.ml.runtime import tf_keras

Inputs: TypeAlias = list[np.ndarray]
_Rule: TypeAlias = Callable[[Labels, LayerCall, Inputs], np.ndarray]

_KERAS = tf_keras.layers
_MERGES = (
    _KERAS.Add, _KERAS.Average, _KERAS.Maximum, _KERAS.Minimum, _KERAS.Multiply, _KERAS.Subtract,
)  # fmt: skip
_PAIRS = frozenset({"add", "divide", "maximum", "minimum", "multiply", "power", "subtract"})
_SINGLE = frozenset({"abs", "exp", "log", "rsqrt", "sqrt"})
_OVER_AXES = frozenset({"max", "mean", "min", "sum"})


def outputs_of_call(labels: Labels, call: LayerCall, inputs: Inputs) -> np.ndarray:
    """Return the labels of what a call puts out, and tie and freeze as the layer asks for.

    Args:
        labels: Of the graph so far.
        call: One call of a layer.
        inputs: Labels ``c`` of each tensor that goes in.
    """
    layer = call.layer
    if getattr(layer, "data_format", None) == "channels_first":
        return frozen(labels, call, inputs, "its channels are not the last axis")
    rule = _RULES.get(type(layer))
    if rule is None:
        kind = type(layer).__name__
        return frozen(labels, call, inputs, f"nothing is known of {kind} and its channels")
    if len(inputs) != 1 and rule not in (_merged, _concatenated, _calculated):
        return frozen(labels, call, inputs, "it takes several tensors")
    if len(call.outputs) != 1:
        return frozen(labels, call, inputs, "it puts out several tensors")
    outputs_c = rule(labels, call, inputs)
    if getattr(layer, "activation", None) is tf_keras.activations.softmax:
        labels.freeze(outputs_c, _because(call, "its softmax needs all channels"))
    return outputs_c


def frozen(labels: Labels, call: LayerCall, inputs: Inputs, why: str) -> np.ndarray:
    """Freeze what goes in, and return new frozen labels for what comes out."""
    reason = _because(call, why)
    for labels_c in inputs:
        labels.freeze(labels_c, reason)
    outputs_c = labels.new(call.output_shape[-1] or 1 if call.output_shape else 1)
    labels.freeze(outputs_c, reason)
    return outputs_c


def _because(call: LayerCall, why: str) -> str:
    return f"{call.layer.name} ({type(call.layer).__name__}): {why}"


def _made(labels: Labels, call: LayerCall, inputs: Inputs) -> np.ndarray:
    """Make new channels by a kernel that reads all channels, or all of a group."""
    outputs_c = labels.new(call.layer.kernel.shape[-1])
    groups = getattr(call.layer, "groups", 1)
    if groups == 1:
        return outputs_c
    read_gc, made_gc = inputs[0].reshape(groups, -1), outputs_c.reshape(groups, -1)
    if groups >= read_gc.shape[1]:
        # Many narrow groups: each stays or goes as a whole, as the channels of a depthwise do.
        for read_c, made_c in zip(read_gc, made_gc, strict=True):
            labels.tie_all(np.concatenate([read_c, made_c]))
    else:
        # Few wide ones stay equally wide: the same places are removed in each.
        for place_g in (*read_gc.T, *made_gc.T):
            labels.tie_all(place_g)
    return outputs_c


def _made_transposed(labels: Labels, call: LayerCall, inputs: Inputs) -> np.ndarray:
    del inputs
    return labels.new(call.layer.kernel.shape[-2])


def _made_separable(labels: Labels, call: LayerCall, inputs: Inputs) -> np.ndarray:
    if call.layer.groups != 1:
        return frozen(labels, call, inputs, "it has groups")
    return labels.new(call.layer.pointwise_kernel.shape[-1])


def _depthwise(labels: Labels, call: LayerCall, inputs: Inputs) -> np.ndarray:
    del labels
    return np.repeat(inputs[0], call.layer.depth_multiplier)


def _passed(labels: Labels, call: LayerCall, inputs: Inputs) -> np.ndarray:
    """Treat every channel alone."""
    del labels, call
    return inputs[0]


def _across(labels: Labels, call: LayerCall, inputs: Inputs) -> np.ndarray:
    """Compute along ``axis``: across channels where the last one is among these."""
    axes = call.layer.axis
    listed = list(axes) if isinstance(axes, list | tuple) or hasattr(axes, "__iter__") else [axes]
    rank = len(call.input_shape) + 1
    if any(axis in (None, -1, rank - 1) for axis in listed):
        return frozen(labels, call, inputs, "it computes across channels")
    return inputs[0]


def _batch_normalized(labels: Labels, call: LayerCall, inputs: Inputs) -> np.ndarray:
    axes = call.layer.axis
    listed = list(axes) if hasattr(axes, "__iter__") else [axes]
    if listed not in ([-1], [len(call.input_shape)]):
        return frozen(labels, call, inputs, "it normalizes another axis than the channels")
    return inputs[0]


def _standardized(labels: Labels, call: LayerCall, inputs: Inputs) -> np.ndarray:
    return frozen(labels, call, inputs, "its statistics are in its configuration")


def _rescaled(labels: Labels, call: LayerCall, inputs: Inputs) -> np.ndarray:
    if np.ndim(call.layer.scale) or np.ndim(call.layer.offset):
        return frozen(labels, call, inputs, "its configuration has a number for each channel")
    return inputs[0]


def _merged(labels: Labels, call: LayerCall, inputs: Inputs) -> np.ndarray:
    """Tie tensors that are added, multiplied and so on; one channel serves all of another."""
    channels = max(map(len, inputs))
    wide = [labels_c for labels_c in inputs if len(labels_c) == channels]
    for labels_c in inputs:
        if len(labels_c) != channels:
            labels.freeze(labels_c, _because(call, "it is spread over all channels"))
    for labels_c in wide[1:]:
        labels.tie(wide[0], labels_c)
    return wide[0]


def _concatenated(labels: Labels, call: LayerCall, inputs: Inputs) -> np.ndarray:
    if call.layer.axis in (-1, len(call.output_shape)):
        return np.concatenate(inputs)
    return _merged(labels, call, inputs)


def _flattened(labels: Labels, call: LayerCall, inputs: Inputs) -> np.ndarray:
    """Follow each channel to where the reshape puts it, if every place has the same channels."""
    places = [size for size in call.input_shape if size is not None]
    made = call.output_shape[-1] if call.output_shape else None
    if len(places) < len(call.input_shape) or made is None:
        return frozen(labels, call, inputs, "the size of its tensor is open")
    places_pc = np.broadcast_to(inputs[0], places).reshape(-1, made)
    if not (places_pc == places_pc[0]).all():
        return frozen(labels, call, inputs, "it moves channels to another axis")
    return places_pc[0].copy()


def _permuted(labels: Labels, call: LayerCall, inputs: Inputs) -> np.ndarray:
    dims = tuple(call.layer.dims)
    if dims[-1] != len(dims):
        return frozen(labels, call, inputs, "it moves channels to another axis")
    return inputs[0]


def _calculated(labels: Labels, call: LayerCall, inputs: Inputs) -> np.ndarray:
    """Follow slimline's own layer, which is one of several operations."""
    layer, rank = call.layer, len(call.input_shape) + 1
    operation = layer.operation
    same_rank = len({len(tensor.shape) for tensor in call.inputs}) == 1
    if operation in _PAIRS and len(inputs) == 2 and same_rank:
        return _merged(labels, call, inputs)
    if operation in {*_OVER_AXES, "squeeze"} and len(inputs) == 1:
        return _across(labels, call, inputs)
    each_alone = (
        operation in _SINGLE
        or (operation in _PAIRS and np.ndim(layer.constant) == 0)
        or (operation == "expand_dims" and layer.axis not in (-1, rank))
    )
    if each_alone and len(inputs) == 1:
        return inputs[0]
    return frozen(labels, call, inputs, f"{operation} is not followed through channels")


_RULES: Mapping[type[Any], _Rule] = {
    Arithmetic: _calculated,
    _KERAS.BatchNormalization: _batch_normalized,
    _KERAS.Concatenate: _concatenated,
    _KERAS.Conv2DTranspose: _made_transposed,
    _KERAS.Flatten: _flattened,
    _KERAS.LayerNormalization: _across,
    _KERAS.Normalization: _standardized,
    _KERAS.Permute: _permuted,
    _KERAS.Rescaling: _rescaled,
    _KERAS.Reshape: _flattened,
    _KERAS.Softmax: _across,
    _KERAS.UnitNormalization: _across,
    **dict.fromkeys((_KERAS.Conv1D, _KERAS.Conv2D, _KERAS.Dense), _made),
    **dict.fromkeys((_KERAS.SeparableConv1D, _KERAS.SeparableConv2D), _made_separable),
    **dict.fromkeys((_KERAS.DepthwiseConv1D, _KERAS.DepthwiseConv2D), _depthwise),
    **dict.fromkeys(_MERGES, _merged),
    **dict.fromkeys(
        (
            _KERAS.Activation, _KERAS.AveragePooling1D, _KERAS.AveragePooling2D, _KERAS.Cropping2D,
            _KERAS.Dropout, _KERAS.ELU, _KERAS.GaussianDropout, _KERAS.GaussianNoise,
            _KERAS.GlobalAveragePooling1D, _KERAS.GlobalAveragePooling2D, _KERAS.GlobalMaxPooling1D,
            _KERAS.GlobalMaxPooling2D, _KERAS.Identity, _KERAS.LeakyReLU, _KERAS.MaxPooling1D,
            _KERAS.MaxPooling2D, _KERAS.PReLU, _KERAS.ReLU, _KERAS.Resizing,
            _KERAS.SpatialDropout2D, _KERAS.ThresholdedReLU, _KERAS.UpSampling2D,
            _KERAS.ZeroPadding2D,
        ),
        _passed,
    ),
}  # fmt: skip
