"""MobileNetV2: inverted residuals (arXiv:1801.04381).

Layers are those of ``keras.applications``, with the same names in the same order, so that its
weights can be loaded by name.
"""

from __future__ import annotations

from typing import Any

from components.ml.networks.blocks import count, multiple
from components.ml.runtime import tf_keras

_STEM, _LAST = 32, 1280
_STAGES = ((24, 2, 2), (32, 3, 2), (64, 4, 2), (96, 3, 1), (160, 3, 2), (320, 1, 1))
"""Channels, blocks and the stride of the first, after a first block of 16 channels."""
_EXPANSION = 6.0


def mobilenet_v2(
    image: Any, *, alpha: float = 1.0, depth: float = 1.0, expansion: float | None = None
) -> Any:
    """Return the map of MobileNetV2.

    Args:
        image: The input.
        alpha: Width against the usual one, above 0; the last convolution follows it above 1 only.
        depth: Blocks of a stage against the usual number, above 0.
        expansion: Channels inside a block against those that enter it; None takes 6.
    """
    layers = tf_keras.layers
    features = layers.Conv2D(
        multiple(_STEM * alpha), 3, strides=2, padding="same", use_bias=False, name="Conv1"
    )(image)
    features = _normed(features, "bn_Conv1")
    features = layers.ReLU(6.0, name="Conv1_relu")(features)
    features = _block(features, multiple(16 * alpha), 1, 1.0, "expanded_conv_")
    number = 0
    for channels, blocks, stride in _STAGES:
        for place in range(count(blocks, depth)):
            number += 1
            features = _block(
                features, multiple(int(channels * alpha)), 1 if place else stride,
                _EXPANSION if expansion is None else expansion, f"block_{number}_",
            )  # fmt: skip
    last = multiple(_LAST * alpha) if alpha > 1.0 else _LAST
    features = layers.Conv2D(last, 1, use_bias=False, name="Conv_1")(features)
    features = _normed(features, "Conv_1_bn")
    return layers.ReLU(6.0, name="out_relu")(features)


def _block(features: Any, channels: int, stride: int, expansion: float, name: str) -> Any:
    layers, entered = tf_keras.layers, features
    width = features.shape[-1]
    if expansion != 1.0:
        width = max(1, round(width * expansion))
        features = layers.Conv2D(
            width, 1, padding="same", use_bias=False, name=f"{name}expand"
        )(features)  # fmt: skip
        features = _normed(features, f"{name}expand_BN")
        features = layers.ReLU(6.0, name=f"{name}expand_relu")(features)
    if stride == 2:  # one pixel at the far ends, and one at the near ones where a side is odd
        near = [side % 2 for side in features.shape[1:3]]
        pads = tuple((odd, 1) for odd in near)
        features = layers.ZeroPadding2D(pads, name=f"{name}pad")(features)
    features = layers.DepthwiseConv2D(
        3, strides=stride, use_bias=False, padding="same" if stride == 1 else "valid",
        name=f"{name}depthwise",
    )(features)  # fmt: skip
    features = _normed(features, f"{name}depthwise_BN")
    features = layers.ReLU(6.0, name=f"{name}depthwise_relu")(features)
    features = layers.Conv2D(
        channels, 1, padding="same", use_bias=False, name=f"{name}project"
    )(features)  # fmt: skip
    features = _normed(features, f"{name}project_BN")
    if stride == 1 and entered.shape[-1] == channels:
        features = layers.Add(name=f"{name}add")([entered, features])
    return features


def _normed(features: Any, name: str) -> Any:
    return tf_keras.layers.BatchNormalization(epsilon=1e-3, momentum=0.999, name=name)(features)
