"""A network trained under constraints: every kernel, and every output that is rounded.

Shapes: b images in a batch, h rows, w columns, c channels, d numbers of the output, n images.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from components.artifacts.lite_model import TIE
from components.ml.graphs.call_graph import CallGraph, GraphCall
from components.ml.graphs.kernels import Kernel, kernels_of
from components.ml.graphs.rounding import Range, nudged, rounded_outputs
from components.ml.graphs.scaling import product_of, scale_and_offset
from components.ml.runtime import tf
from components.ml.training.constraints import BITS, Constraint, project

Rounding: TypeAlias = Callable[[str, Any], Any]
"""From what an operator gives, with the name that ranges have for it, to that rounded."""

_BATCH = 32
_STEPS = 255
_NARROWEST = 1e-6
"""Width of the range of an output that is always 0."""


class ConstrainedNetwork:
    """Stands for a Keras model in training, and computes with constrained kernels.

    Batch norms that are left keep their statistics, and nothing is dropped out: what is trained is
    what the file will compute.

    Args:
        model: Functional and flat; its own weights are those that are trained.
        constraints: What kernels are held to, by ``Kernel.name``; one after the other.
    """

    def __init__(self, model: Any, constraints: Mapping[str, Sequence[Constraint]]) -> None:
        self.model = model
        self.graph = CallGraph.of(model)
        self.ranges: Mapping[str, Range] = {}
        self._constraints = constraints
        known = rounded_outputs(self.graph).get(self.graph.output)
        self._bounded = {self.graph.output} if known is not None else set[str]()
        kernels = [kernel for layer in model.layers for kernel in kernels_of(layer)]
        names = {kernel.name for kernel in kernels}
        assert constraints.keys() <= names, f"no such kernel: {constraints.keys() - names}"
        self._kernels = tuple(kernel for kernel in kernels if kernel.name in constraints)

    @property
    def weights(self) -> list[Any]:
        """All variables of the model."""
        return self.model.weights

    @property
    def trainable_variables(self) -> list[Any]:
        """Those that are trained."""
        return self.model.trainable_variables

    def get_weights(self) -> list[np.ndarray]:
        """Return the weights as the optimizer left them."""
        return self.model.get_weights()

    def set_weights(self, weights: Sequence[np.ndarray]) -> None:
        """Set the weights that the optimizer changes."""
        self.model.set_weights(weights)

    def __call__(self, images_bhwc: Any, *, training: bool = False) -> Any:
        """Return the outputs ``bd``, rounded where there are ranges.

        Probabilities at the end are not: their logits are, and the logarithm of one that has been
        rounded to 0 teaches nothing.
        """
        del training
        low, high = self.ranges.get(self.graph.image, (0.0, 0.0))
        upwards = TIE * (high - low) / _STEPS  # as an app rounds pixels half-way between levels

        def rounding(name: str, output: Any) -> Any:
            return output if name in self._bounded else self._fake(name, output)

        def compute(call: GraphCall, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
            product = product_of(call)
            constant = _rounded if product in self.ranges else tf.convert_to_tensor
            return _computed(call, arguments, keywords, rounding, constant)

        with _Projected(self._kernels, self._constraints):
            image_bhwc = self._fake(self.graph.image, images_bhwc + upwards)
            return self.graph.run(image_bhwc, compute)

    def program(self, images_bhwc: Any) -> Any:
        """Return the outputs ``bd`` of the kernels as they are, rounded as a file rounds them."""

        def compute(call: GraphCall, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
            return _computed(call, arguments, keywords, self._fake)

        return self.graph.run(self._fake(self.graph.image, images_bhwc), compute)

    def bake(self) -> None:
        """Set every kernel to what the constraints make of it: what was computed with until now."""
        for kernel in self._kernels:
            kernel.variable.assign(project(self._constraints[kernel.name], kernel.variable))

    def observed(self, images_nhwc: np.ndarray, image_range: Range) -> dict[str, Range]:
        """Return the ranges of all that is to be rounded, as these images reach them.

        Args:
            images_nhwc: Normalized.
            image_range: Of the input: what black and white become.
        """
        fixed = rounded_outputs(self.graph)
        lows = dict.fromkeys(fixed, 0.0)  # 0 has a level of its own, for padding and zeros
        highs = dict.fromkeys(fixed, 0.0)

        @tf.function(autograph=False)
        def extremes(images_bhwc: Any) -> Mapping[str, Any]:
            found: dict[str, Any] = {}

            def seen(name: str, output: Any) -> Any:
                if name in fixed:
                    found[name] = (tf.reduce_min(output), tf.reduce_max(output))
                return output

            def compute(
                call: GraphCall, arguments: tuple[Any, ...], keywords: dict[str, Any]
            ) -> Any:
                return _computed(call, arguments, keywords, seen)

            with _Projected(self._kernels, self._constraints):
                self.graph.run(images_bhwc, compute)
            return found

        for start in range(0, len(images_nhwc), _BATCH):
            for name, (low, high) in extremes(images_nhwc[start : start + _BATCH]).items():
                lows[name] = min(lows[name], float(low))
                highs[name] = max(highs[name], float(high))
        return {self.graph.image: nudged(*image_range)} | {
            name: known or nudged(lows[name], max(highs[name], lows[name] + _NARROWEST))
            for name, known in fixed.items()
        }

    def _fake(self, name: str, output: Any) -> Any:
        if name not in self.ranges:
            return output
        low, high = self.ranges[name]
        return tf.quantization.fake_quant_with_min_max_vars(output, low, high, num_bits=BITS)


class _Projected:
    """Within it, layers have projected kernels in place of their variables."""

    def __init__(
        self, kernels: Sequence[Kernel], constraints: Mapping[str, Sequence[Constraint]]
    ) -> None:
        self._kernels = kernels
        self._constraints = constraints
        self._variables: list[Any] = []

    def __enter__(self) -> None:
        self._variables = [kernel.variable for kernel in self._kernels]
        for kernel, variable in zip(self._kernels, self._variables, strict=True):
            projected = project(self._constraints[kernel.name], tf.convert_to_tensor(variable))
            # Not setattr: Keras would track the tensor as an attribute of the layer.
            object.__setattr__(kernel.layer, kernel.attribute, projected)

    def __exit__(self, *_: object) -> None:
        for kernel, variable in zip(self._kernels, self._variables, strict=True):
            object.__setattr__(kernel.layer, kernel.attribute, variable)


def _computed(
    call: GraphCall, arguments: tuple[Any, ...], keywords: dict[str, Any], rounding: Rounding,
    constant: Callable[[Any], Any] = tf.convert_to_tensor,
) -> Any:  # fmt: skip
    """Return what a call gives, with the outputs of its operators rounded.

    Args:
        call: The call.
        arguments: Its tensors.
        keywords: Its other arguments.
        rounding: What is done to outputs.
        constant: What is done to what it multiplies by and adds.
    """
    product = product_of(call)
    if product is None:
        return rounding(call.name, _called(call, arguments, keywords))
    scale, offset = map(constant, scale_and_offset(call))
    return rounding(call.name, rounding(product, arguments[0] * scale) + offset)


def _rounded(constant: Any) -> Any:
    """Return a constant as an int8 file has it: 256 levels from its lowest number to its highest.

    The converter does this by itself, so that a program that is converted leaves them as they are.
    """
    low = tf.minimum(tf.reduce_min(constant), 0.0)
    high = tf.maximum(tf.reduce_max(constant), _NARROWEST)
    return tf.quantization.fake_quant_with_min_max_vars(constant, low, high, num_bits=BITS)


def _called(call: GraphCall, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    """Call a layer as after training."""
    if "training" in inspect.signature(call.layer.call).parameters:
        keywords = {**keywords, "training": False}
    return call.layer(*arguments, **keywords)
