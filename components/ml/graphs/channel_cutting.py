"""Cutting: the same network with fewer channels.

Shapes: c channels of a layer's input or output, u units (see ``channels``); keep is True where
something stays.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from components.ml.graphs.channels import Channels, LayerChannels, makes_channels
from components.ml.networks import architecture
from components.ml.runtime import tf_keras

_TINY = 1e-12

_KERAS = tf_keras.layers
_SEPARABLE = (_KERAS.SeparableConv1D, _KERAS.SeparableConv2D)
_DEPTHWISE = (_KERAS.DepthwiseConv1D, _KERAS.DepthwiseConv2D)


def cut(model: Any, channels: Channels, keep_u: np.ndarray) -> Any:
    """Return the network without the channels whose units are not kept.

    Its answers are those of ``model`` where every kernel reads 0 in place of these channels.

    Args:
        model: Functional and flat, with weights.
        channels: Its own.
        keep_u: One truth value a unit.
    """
    description = json.loads(model.to_json())
    for entry in description["config"]["layers"]:
        each = channels.layers.get(entry["name"])
        if each is not None:
            entry["config"] |= _config_after(each, entry["config"], keep_u)
    pruned = architecture.build(description, model.name)
    for layer in model.layers:
        weights = layer.get_weights()
        each = channels.layers.get(layer.name)
        if each is not None:
            axes = kept_axes(each, keep_u)
            weights = [_taken(weight, axes[at]) for at, weight in enumerate(weights)]
        pruned.get_layer(layer.name).set_weights(weights)
    return pruned


def deviation(
    model: Any, pruned: Any, channels: Channels, keep_u: np.ndarray, images: Any
) -> float:
    """Return how far a cut network is from the whole one whose kernels read 0 in place of the rest.

    Whatever the network is made of, and whatever was thought of its layers: this is measured.

    Args:
        model: Whole; its weights are changed meanwhile, and given back.
        pruned: What ``cut`` made of it.
        channels: Those of ``model``.
        keep_u: As for ``cut``.
        images: A batch as the network takes it.

    Returns:
        The largest difference of a number in the answers, as a share of the largest number.
    """
    own = model.get_weights()
    for each in channels.layers.values():
        if makes_channels(each.layer):
            kernel, *rest = each.layer.get_weights()
            each.layer.set_weights([kernel * _read(each, keep_u[each.inputs_c]), *rest])
    expected = model(images, training=False).numpy()
    model.set_weights(own)
    found = pruned(images, training=False).numpy()
    return float(np.abs(found - expected).max() / max(np.abs(expected).max(), _TINY))


def _read(each: LayerChannels, keep_c: np.ndarray) -> np.ndarray:
    """Return 0 where a layer's first kernel reads what is not kept, else 1."""
    if isinstance(each.layer, _KERAS.Conv2DTranspose):
        return keep_c.astype(np.float32)
    if isinstance(each.layer, _SEPARABLE):
        return keep_c.astype(np.float32)[:, None]
    groups = getattr(each.layer, "groups", 1)
    made = each.layer.kernel.shape[-1] // groups
    return np.repeat(keep_c.reshape(groups, -1).T, made, axis=1).astype(np.float32)


def shape_after(each: LayerChannels, weight: Any, keep_u: np.ndarray) -> tuple[int, ...]:
    """Return the shape that a weight of a layer has once it is cut."""
    place = next(at for at, own in enumerate(each.layer.weights) if own is weight)
    shape = list(weight.shape)
    for axis, keep in kept_axes(each, keep_u)[place].items():
        shape[axis] = int(keep.sum())
    return tuple(shape)


def kept_axes(each: LayerChannels, keep_u: np.ndarray) -> list[dict[int, np.ndarray]]:
    """Return what stays of every weight of a layer, axis by axis.

    Returns:
        For each of ``layer.weights`` the axes that lose something, counted from the end, and
        what is kept along each.
    """
    inputs_c, outputs_c = keep_u[each.inputs_c], keep_u[each.outputs_c]
    named: dict[str, dict[int, np.ndarray]] = {"bias": {-1: outputs_c}}
    if isinstance(each.layer, _KERAS.Conv2DTranspose):
        named["kernel"] = {-1: inputs_c, -2: outputs_c}
    elif isinstance(each.layer, _SEPARABLE):
        multiplied_c = np.repeat(inputs_c, each.layer.depth_multiplier)
        named["depthwise_kernel"] = {-2: inputs_c}
        named["pointwise_kernel"] = {-2: multiplied_c, -1: outputs_c}
    elif isinstance(each.layer, _DEPTHWISE):
        named["depthwise_kernel"] = {-2: inputs_c}
    elif isinstance(each.layer, _KERAS.Dense | _KERAS.Conv1D | _KERAS.Conv2D):
        named["kernel"] = {-2: _places(each.layer, inputs_c), -1: outputs_c}
    elif isinstance(each.layer, _KERAS.PReLU):
        shared = each.layer.alpha.shape[-1] != len(outputs_c)
        named["alpha"] = {} if shared else {-1: outputs_c}
    elif isinstance(each.layer, _KERAS.BatchNormalization):
        parts = ("gamma", "beta", "moving_mean", "moving_variance")
        named = {name: {-1: outputs_c} for name in parts}
    axes_of = {
        id(getattr(each.layer, name, None)): {
            axis: keep for axis, keep in axes.items() if not keep.all()
        }
        for name, axes in named.items()
    }
    return [axes_of.get(id(weight), {}) for weight in each.layer.weights]


def _places(layer: Any, inputs_c: np.ndarray) -> np.ndarray:
    """Return which places of a kernel's reading stay; groups that are left are equally wide."""
    places_gc = inputs_c.reshape(getattr(layer, "groups", 1), -1)
    left_gc = places_gc[places_gc.any(axis=1)]
    assert len(left_gc), f"{layer.name}: nothing is left to read"
    assert (left_gc == left_gc[0]).all(), f"{layer.name}: its groups would differ in width"
    return left_gc[0]


def _config_after(
    each: LayerChannels, config: Mapping[str, Any], keep_u: np.ndarray
) -> dict[str, Any]:
    """Return the entries of a layer's configuration that change."""
    inputs_c, outputs_c = keep_u[each.inputs_c], keep_u[each.outputs_c]
    if inputs_c.all() and outputs_c.all():
        return {}
    width = int(outputs_c.sum())
    changed: dict[str, Any] = {key: width for key in ("filters", "units") if key in config}
    if config.get("groups", 1) > 1:
        changed["groups"] = int(inputs_c.reshape(config["groups"], -1).any(axis=1).sum())
    if isinstance(each.layer, _KERAS.Reshape):
        *places, last = config["target_shape"]
        changed["target_shape"] = [*places, last if last == -1 else width]
    return changed


def _taken(weight: np.ndarray, axes: Mapping[int, np.ndarray]) -> np.ndarray:
    for axis, keep in axes.items():
        weight = np.compress(keep, weight, axis=axis)
    return weight


def readings_of(each: LayerChannels, numbers: np.ndarray) -> np.ndarray:
    """Sum numbers of the shape of a layer's first kernel for each channel ``c`` that it reads."""
    groups = getattr(each.layer, "groups", 1)
    if isinstance(each.layer, _KERAS.Conv2DTranspose):
        return numbers.sum(axis=tuple(range(numbers.ndim - 1)))
    if groups == 1:
        return np.moveaxis(numbers, -2, -1).sum(axis=tuple(range(numbers.ndim - 1)))
    parts = np.split(numbers, groups, axis=-1)  # each makes channels of what one group reads
    places = [np.moveaxis(part, -2, -1).sum(axis=tuple(range(part.ndim - 1))) for part in parts]
    return np.concatenate(places)
