"""Scaling: layers that multiply and add constants, which are two operators of a file.

A batch norm that could not be folded, a normalization and a rescaling become MUL and ADD. An int8
file rounds what goes from one to the other, in a range of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from components.ml.graphs.call_graph import GraphCall
from components.ml.runtime import tf


def product_of(call: GraphCall) -> str | None:
    """Return how ranges call what goes from MUL to ADD; None of a call that is not both."""
    if call.kind == "Rescaling":
        multiplies, adds = np.any(call.layer.scale != 1), np.any(call.layer.offset)
        return f"{call.name}/product" if multiplies and adds else None
    if call.kind == "BatchNormalization" and len(call.layer.axis) != 1:
        return None
    return f"{call.name}/product" if call.kind in _CONSTANTS else None


def scale_and_offset(call: GraphCall) -> tuple[Any, Any]:
    """Return what a call multiplies by, and what it adds then, as they broadcast to its input.

    Args:
        call: One that has a ``product_of``.
    """
    return _CONSTANTS[call.kind](call)


def _of_norm(call: GraphCall) -> tuple[Any, Any]:
    norm, (axis,) = call.layer, call.layer.axis
    scale_x = tf.math.rsqrt(norm.moving_variance + norm.epsilon)
    if norm.scale:
        scale_x *= norm.gamma
    offset_x = -norm.moving_mean * scale_x
    if norm.center:
        offset_x += norm.beta
    sides = [-1 if place == axis % len(call.shape) else 1 for place in range(len(call.shape))]
    return tf.reshape(scale_x, sides), tf.reshape(offset_x, sides)


def _of_normalization(call: GraphCall) -> tuple[Any, Any]:
    layer = call.layer
    deviation = tf.maximum(tf.sqrt(layer.variance), tf.keras.backend.epsilon())
    return (deviation, layer.mean) if layer.invert else (1 / deviation, -layer.mean / deviation)


def _of_rescaling(call: GraphCall) -> tuple[Any, Any]:
    return tuple(tf.constant(part, tf.float32) for part in (call.layer.scale, call.layer.offset))


_CONSTANTS: Mapping[str, Callable[[GraphCall], tuple[Any, Any]]] = {
    "BatchNormalization": _of_norm,
    "Normalization": _of_normalization,
    "Rescaling": _of_rescaling,
}
