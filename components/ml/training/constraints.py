"""Constraints: what a kernel is held to while it is trained, and exactly when training ends.

A constraint is a projection: from the kernel as the optimizer moves it to the nearest one that is
as it must be. ``ConstrainedNetwork`` computes with projected kernels in every step, so that the
loss is always that of a network which keeps to them, and stores them at the end. One mechanism
holds the zeros of a pruned kernel, the shared weights of a clustered one, levels of few bits, and
all of these within the rounding of quantization-aware training.

Shapes: a kernel has any; k centroids.

References:
    Jacob et al., arXiv:1712.05877 (straight-through rounding); Han et al., Deep Compression,
    arXiv:1510.00149 (shared weights that are trained).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np

from components.artifacts.promises import SharedPer, SharedWeights
from components.ml.graphs.kernels import Kernel
from components.ml.runtime import tf

BITS = 8
_DIGITS = 5
"""Decimals in which shares of the largest weight are told apart: a float32 holds them."""
_TINY = 1e-30
"""Stands in for the largest weight of a channel that has none but 0."""


class Constraint(Protocol):
    """A projection of a kernel."""

    def __call__(self, kernel: Any) -> Any:
        """Return the kernel that is meant, of the same shape; in a graph, with a gradient."""
        ...


@dataclass(frozen=True, eq=False)
class Zeros:
    """Some weights are 0.

    Attributes:
        mask: 0 there and 1 elsewhere, float32.
    """

    mask: np.ndarray

    @classmethod
    def of(cls, kernel: Kernel) -> Self:
        """Hold the weights that are 0 now."""
        return cls((kernel.variable.numpy() != 0).astype(np.float32))

    def __call__(self, kernel: Any) -> Any:
        """Set what is masked to 0."""
        return kernel * self.mask


@dataclass(frozen=True, eq=False)
class Centroids:
    """Weights share values: which ones is fixed, and the values are trained.

    Attributes:
        places: Number of the centroid of every weight, 0 to k - 1.
        values_k: The values as they were found.
        pinned_k: Which of these stay as they are, such as 0.
        within_axes: Axes of the weights of one output channel where centroids are shares of its
            largest weight; None where they are weights.
    """

    places: np.ndarray
    values_k: np.ndarray
    pinned_k: np.ndarray
    within_axes: tuple[int, ...] | None = None

    @classmethod
    def of(cls, kernel: Kernel, per: SharedPer, *, trained: bool = True) -> Self:
        """Hold the weights together that have the same value now.

        Args:
            kernel: With few values.
            per: layer: equal weights belong together. channel: weights that are the same share of
                their channel's largest one do, so that integers with a scale for each channel are
                equal, too.
            trained: Whether values may change; 0 does not, and the largest weight of a channel
                keeps being that.
        """
        values, axes = kernel.variable.numpy(), None
        if per == "channel":
            axes = kernel.within_axes
            highest = np.abs(values).max(axis=axes, keepdims=True)
            values = np.round(values / np.maximum(highest, _TINY), _DIGITS)
        found_k, places = np.unique(values, return_inverse=True)
        pinned_k = (found_k == 0) | ((np.abs(found_k) == 1) & (axes is not None)) | (not trained)
        return cls(
            places.reshape(values.shape).astype(np.int32),
            found_k.astype(np.float32),
            pinned_k,
            axes,
        )

    def __call__(self, kernel: Any) -> Any:
        """Give every weight the mean of those that it shares its value with."""
        scale = 1.0
        if self.within_axes is not None:
            highest = tf.reduce_max(tf.abs(kernel), axis=self.within_axes, keepdims=True)
            scale = tf.maximum(highest, _TINY)
        means_k = tf.math.unsorted_segment_mean(kernel / scale, self.places, len(self.values_k))
        return tf.gather(tf.where(self.pinned_k, self.values_k, means_k), self.places) * scale


@dataclass(frozen=True, eq=False)
class Levels:
    """Weights of an output channel lie on equal steps, as many above 0 as below.

    Attributes:
        within_axes: Axes of the weights of one channel.
        steps: Steps from 0 to the largest weight; 127 for 8 bits.
    """

    within_axes: tuple[int, ...]
    steps: int

    @classmethod
    def of(cls, kernel: Kernel, bits: int = BITS) -> Self:
        """Hold a kernel to the levels of ``bits`` bits, 2 to 8."""
        return cls(kernel.within_axes, 2 ** (bits - 1) - 1)

    def __call__(self, kernel: Any) -> Any:
        """Round to the nearest level; the gradient goes through as if nothing had been done."""

        @tf.custom_gradient
        def rounded(weights: Any) -> tuple[Any, Any]:
            highest = tf.reduce_max(tf.abs(weights), axis=self.within_axes, keepdims=True)
            step = tf.maximum(highest, _TINY) / self.steps
            return tf.round(weights / step) * step, lambda gradient: gradient

        return rounded(kernel)


def promised(kernel: Kernel, *, zeros: bool, shared: SharedWeights | None) -> list[Constraint]:
    """Return what a kernel is held to by the promises of the steps before.

    Args:
        kernel: As they left it.
        zeros: Whether weights that are 0 stay it.
        shared: What was promised of its values.
    """
    if shared is not None and shared.bits is not None:
        held: list[Constraint] = [Levels.of(kernel, shared.bits)]
        return [Zeros.of(kernel), *held] if zeros else held
    if shared is not None:  # a centroid of 0 keeps its zeros
        return [Centroids.of(kernel, shared.per)]
    return [Zeros.of(kernel)] if zeros else []


def project(constraints: Sequence[Constraint], kernel: Any) -> Any:
    """Apply one constraint after the other."""
    for constraint in constraints:
        kernel = constraint(kernel)
    return kernel
