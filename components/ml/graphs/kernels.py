"""Kernels: the weights that compression works on, and which of their axes are output channels.

Shapes: h rows and w columns of a kernel, i channels that go in, o channels that come out, m
multiples of a depthwise kernel, e numbers of a channel, x channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

_LAST, _DEPTHWISE = (-1,), (-2, -1)
_KERNELS: Mapping[str, tuple[tuple[str, tuple[int, ...]], ...]] = {
    "Conv1D": (("kernel", _LAST),),
    "Conv2D": (("kernel", _LAST),),
    "Conv2DTranspose": (("kernel", (-2,)),),  # hwoi
    "Dense": (("kernel", _LAST),),
    "DepthwiseConv1D": (("depthwise_kernel", _DEPTHWISE),),
    "DepthwiseConv2D": (("depthwise_kernel", _DEPTHWISE),),  # hwim: i times m come out
    "SeparableConv1D": (("depthwise_kernel", _DEPTHWISE), ("pointwise_kernel", _LAST)),
    "SeparableConv2D": (("depthwise_kernel", _DEPTHWISE), ("pointwise_kernel", _LAST)),
}


@dataclass(frozen=True, eq=False)
class Kernel:
    """One kernel of a layer.

    Attributes:
        layer: The ``tf_keras`` layer.
        attribute: What the layer calls it.
        channel_axes: Axes of the output channels, counted from the end.
    """

    layer: Any
    attribute: str
    channel_axes: tuple[int, ...]

    @property
    def name(self) -> str:
        """``layer/attribute``."""
        return f"{self.layer.name}/{self.attribute}"

    @property
    def variable(self) -> Any:
        """The layer's variable."""
        return getattr(self.layer, self.attribute)

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of its axes."""
        return tuple(self.variable.shape)

    @property
    def depthwise(self) -> bool:
        """Whether each of its channels reads one channel alone."""
        return self.channel_axes == _DEPTHWISE

    @property
    def within_axes(self) -> tuple[int, ...]:
        """Axes inside of one output channel."""
        channels = {axis % len(self.shape) for axis in self.channel_axes}
        return tuple(axis for axis in range(len(self.shape)) if axis not in channels)

    @property
    def channels(self) -> int:
        """Count of output channels."""
        return int(np.prod([self.shape[axis] for axis in self.channel_axes]))

    def channel_of(self) -> np.ndarray:
        """Return the number of its output channel for every place of the kernel."""
        axes = [axis % len(self.shape) for axis in self.channel_axes]
        sizes = [size if axis in axes else 1 for axis, size in enumerate(self.shape)]
        numbers = np.arange(self.channels, dtype=np.int32).reshape(sizes)
        return np.broadcast_to(numbers, self.shape)

    def by_channel(self) -> np.ndarray:
        """Return its values as ``ex``: one column an output channel."""
        values = self.variable.numpy()
        return np.transpose(
            values, (*self.within_axes, *(axis % values.ndim for axis in self.channel_axes))
        ).reshape(-1, self.channels)


def kernels_of(layer: Any) -> tuple[Kernel, ...]:
    """Return the kernels of a layer that is built; none of a layer of another kind."""
    return tuple(
        Kernel(layer, attribute, axes) for attribute, axes in _KERNELS.get(type(layer).__name__, ())
    )


def kernels_of_model(model: Any) -> tuple[Kernel, ...]:
    """Return the kernels of a model without models inside it."""
    return tuple(kernel for layer in model.layers for kernel in kernels_of(layer))
