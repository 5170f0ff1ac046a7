"""Arithmetic between layers, for which Keras 2 has no layer of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from components.ml.runtime import tf, tf_keras

_ONE: dict[str, Callable[[Any], Any]] = {
    "abs": tf.abs,
    "ceil": tf.math.ceil,
    "cos": tf.cos,
    "exp": tf.exp,
    "floor": tf.floor,
    "gelu_by_tanh": lambda inputs: tf.nn.gelu(inputs, approximate=True),
    "log": tf.math.log,
    "log_softmax": tf.nn.log_softmax,
    "round": tf.round,
    "rsqrt": tf.math.rsqrt,
    "sign": tf.sign,
    "sin": tf.sin,
    "sqrt": tf.sqrt,
}
_TWO: dict[str, Callable[[Any, Any], Any]] = {
    "add": tf.add,
    "divide": tf.divide,
    "floor_divide": tf.math.floordiv,
    "maximum": tf.maximum,
    "minimum": tf.minimum,
    "modulo": tf.math.floormod,
    "multiply": tf.multiply,
    "power": tf.pow,
    "subtract": tf.subtract,
}
_OVER_AXES: dict[str, Callable[..., Any]] = {
    "log_sum_exp": tf.reduce_logsumexp,
    "max": tf.reduce_max,
    "mean": tf.reduce_mean,
    "min": tf.reduce_min,
    "product": tf.reduce_prod,
    "sum": tf.reduce_sum,
}
_SHAPES: dict[str, Callable[..., Any]] = {
    "expand_dims": tf.expand_dims,
    "squeeze": tf.squeeze,
    "stack": tf.stack,
}
OPERATIONS = frozenset({*_ONE, *_TWO, *_OVER_AXES, *_SHAPES, "slice"})


class Arithmetic(tf_keras.layers.Layer):
    """One operation of ``OPERATIONS`` on one tensor, or on two.

    It has no weights and carries no code: what it does is named in its configuration.
    """

    def __init__(
        self,
        operation: str,
        *,
        constant: float | list[Any] | None = None,
        constant_first: bool = False,
        axis: int | Sequence[int] | None = None,
        keepdims: bool = False,
        slices: Sequence[Any] | None = None,
        **options: Any,
    ) -> None:
        """Take what ``get_config`` returns.

        Args:
            operation: Its name.
            constant: Stands for the second tensor of ``add``, ``divide`` and the like.
            constant_first: The constant is the first of the two.
            axis: Of the operations over axes, and of those that change the shape.
            keepdims: Axes that were summed over stay, with length 1.
            slices: For ``slice``: per axis, images included, an index, a list of start, stop
                and step, or "..." for all axes between.
            options: ``name`` and the like.

        Raises:
            ValueError: There is no such operation.
        """
        super().__init__(**options)
        if operation not in OPERATIONS:
            raise ValueError(f"there is no operation {operation!r}")
        self.operation = operation
        self.constant = constant
        self.constant_first = constant_first
        self.axis = axis
        self.keepdims = keepdims
        self.slices = slices

    def call(self, inputs: Any) -> Any:
        """Compute it."""
        if self.operation in _ONE:
            return _ONE[self.operation](inputs)
        if self.operation in _TWO:
            return _TWO[self.operation](*self._pair(inputs))
        if self.operation in _OVER_AXES:
            return _OVER_AXES[self.operation](inputs, axis=self.axis, keepdims=self.keepdims)
        if self.operation in _SHAPES:
            return _SHAPES[self.operation](inputs, axis=self.axis)
        return inputs[tuple(_index(part) for part in self.slices or ())]

    def get_config(self) -> dict[str, Any]:
        """Return what ``__init__`` takes."""
        own = ("operation", "constant", "constant_first", "axis", "keepdims", "slices")
        return {**super().get_config(), **{name: _listed(getattr(self, name)) for name in own}}

    def _pair(self, inputs: Any) -> tuple[Any, Any]:
        if self.constant is None:
            first, second = inputs
            return first, second
        constant = tf.constant(_listed(self.constant), inputs.dtype)
        return (constant, inputs) if self.constant_first else (inputs, constant)


def _listed(value: Any) -> Any:
    """Return lists for what Keras wraps while it tracks a layer's attributes."""
    if isinstance(value, list | tuple):
        return [_listed(item) for item in value]
    return value


def _index(part: Any) -> Any:
    if part == "...":
        return Ellipsis
    return slice(*part) if isinstance(part, list | tuple) else part
