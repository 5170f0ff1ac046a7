"""MobileNetV1: depthwise convolutions, each followed by one of 1 x 1 (arXiv:1704.04861)."""

from __future__ import annotations

from typing import Any

from components.ml.networks.blocks import convolution, count, depthwise, multiple

_STEM = 32
_STAGES = ((64, 1, 1), (128, 2, 2), (256, 2, 2), (512, 6, 2), (1024, 2, 2))
"""Channels, blocks and the stride of the first."""


def mobilenet_v1(image: Any, *, alpha: float = 1.0, depth: float = 1.0) -> Any:
    """Return the map of MobileNetV1.

    Args:
        image: The input.
        alpha: Width against the usual one, above 0.
        depth: Blocks of a stage against the usual number, above 0.
    """
    features = convolution(image, multiple(_STEM * alpha), "stem", kernel=3, stride=2)
    number = 0
    for channels, blocks, stride in _STAGES:
        for place in range(count(blocks, depth)):
            number += 1
            features = depthwise(
                features, f"block{number}_depthwise", stride=1 if place else stride
            )
            features = convolution(features, multiple(channels * alpha), f"block{number}_point")
    return features
