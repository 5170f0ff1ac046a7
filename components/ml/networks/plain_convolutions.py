"""Plain convolutions: a few of them, for small images; their width follows alpha or is given.

References:
    He et al., Deep Residual Learning, arXiv:1512.03385 (convolutions that are added to what
    they read).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from components.ml.networks.blocks import count
from components.ml.runtime import tf_keras
from components.ml.settings import Stem

_WIDTH = 32
"""Channels of the first convolution at alpha 1."""
_LEFT = 2
"""Least side of the map that blocks of given widths leave, pixels."""


def conv(image: Any, *, alpha: float = 1.0, depth: float = 1.0) -> Any:
    """Convolve and halve until about 4 pixels are left: 3 blocks for 8 x 8 pixels.

    Args:
        image: The input.
        alpha: Width against the usual one, above 0.
        depth: Convolutions of a block, at least one.
    """
    side = min(image.shape[1:3])
    features = _block(image, 1, _channels(1, alpha), 2 if side > 32 else 1, depth)
    side = side // 2 if side > 32 else side
    number, times = 2, 1
    while side > 4:
        times = min(2 * times, 4)
        features = _block(features, number, _channels(times, alpha), 2, depth)
        number, side = number + 1, (side + 1) // 2
    return _block(features, number, _channels(times, alpha), 1, depth)


def conv_of_widths(
    image: Any,
    widths: Sequence[int],
    *,
    stem: Stem = "half",
    residuals: Sequence[int] | None = None,
    depth: float = 1.0,
) -> Any:
    """Convolve and halve once a block, while more than 2 pixels are left.

    Args:
        image: The input.
        widths: Channels of each block.
        stem: Whether the first block halves.
        residuals: Residual convolutions behind each block, as many numbers as blocks.
        depth: Convolutions of a block, at least one.
    """
    features = image
    counts = residuals or [0] * len(widths)
    for number, (channels, added) in enumerate(zip(widths, counts, strict=True), 1):
        whole = number == 1 and stem == "full"
        stride = 1 if whole or min(features.shape[1:3]) <= _LEFT else 2
        features = _block(features, number, channels, stride, depth)
        for place in range(1, added + 1):
            features = _residual(features, f"block{number}_residual{place}")
    return features


def _channels(times: int, alpha: float) -> int:
    """Round to a multiple of 4, at least 4: what vector units take at once."""
    return max(4, int(times * _WIDTH * alpha / 4 + 0.5) * 4)


def _residual(features: Any, name: str) -> Any:
    """Add what a convolution makes of the map to the map itself."""
    layers = tf_keras.layers
    change = layers.Conv2D(
        features.shape[-1], 3, padding="same", use_bias=False,
        kernel_initializer="he_normal", name=f"{name}_conv",
    )(features)  # fmt: skip
    change = layers.BatchNormalization(name=f"{name}_norm")(change)
    summed = layers.Add(name=f"{name}_add")([features, change])
    return layers.ReLU(name=f"{name}_relu")(summed)


def _block(features: Any, number: int, channels: int, stride: int, depth: float) -> Any:
    for place in range(count(1, depth)):
        layers, name = tf_keras.layers, f"block{number}" + (f"_{place + 1}" if place else "")
        features = layers.Conv2D(
            channels, 3, strides=1 if place else stride, padding="same", use_bias=False,
            kernel_initializer="he_normal", name=f"{name}_conv",
        )(features)  # fmt: skip
        features = layers.BatchNormalization(name=f"{name}_norm")(features)
        features = layers.ReLU(name=f"{name}_relu")(features)
    return features
