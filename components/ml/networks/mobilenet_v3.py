"""MobileNetV3, small and large: hard swish and squeeze-and-excitation (arXiv:1905.02244)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from components.ml.networks.blocks import (
    Stage,
    convolution,
    count,
    inverted_residual,
    multiple,
)

_STEM = 16
_LAST = 6
"""Channels of the last convolution against those before it."""
_SMALL = (
    Stage(16, 1, 2, 1, squeeze=0.25, activation="relu"),
    Stage(24, 1, 2, 72 / 16, activation="relu"),
    Stage(24, 1, 1, 88 / 24, activation="relu"),
    Stage(40, 1, 2, 4, kernel=5, squeeze=0.25, activation="hard_swish"),
    Stage(40, 2, 1, 6, kernel=5, squeeze=0.25, activation="hard_swish"),
    Stage(48, 2, 1, 3, kernel=5, squeeze=0.25, activation="hard_swish"),
    Stage(96, 3, 2, 6, kernel=5, squeeze=0.25, activation="hard_swish"),
)
_LARGE = (
    Stage(16, 1, 1, 1, activation="relu"),
    Stage(24, 1, 2, 4, activation="relu"),
    Stage(24, 1, 1, 3, activation="relu"),
    Stage(40, 3, 2, 3, kernel=5, squeeze=0.25, activation="relu"),
    Stage(80, 1, 2, 6, activation="hard_swish"),
    Stage(80, 1, 1, 2.5, activation="hard_swish"),
    Stage(80, 2, 1, 2.3, activation="hard_swish"),
    Stage(112, 2, 1, 6, squeeze=0.25, activation="hard_swish"),
    Stage(160, 3, 2, 6, kernel=5, squeeze=0.25, activation="hard_swish"),
)


def mobilenet_v3(
    image: Any,
    *,
    large: bool,
    alpha: float = 1.0,
    depth: float = 1.0,
    expansion: float | None = None,
) -> Any:
    """Return the map of MobileNetV3 after its last convolution.

    The paper's layer of 1,024 or 1,280 numbers behind the pooling belongs to its classifier of
    1,000 classes, and is left out.

    Args:
        image: The input.
        large: Which of the two.
        alpha: Width against the usual one, above 0.
        depth: Blocks of a stage against the usual number, above 0.
        expansion: Channels inside a block that widens them, against those that enter it; None
            takes the paper's, which differ from block to block.
    """
    features = convolution(image, _STEM, "stem", kernel=3, stride=2, activation="hard_swish")
    number = 0
    for stage in _LARGE if large else _SMALL:
        here = replace(stage, channels=multiple(stage.channels * alpha))
        for place in range(count(stage.blocks, depth)):
            number += 1
            widening = stage.expansion
            if expansion is not None and widening > 1:
                widening = expansion
            entering = features.shape[-1]
            features = inverted_residual(
                features, here, f"block{number}",
                stride=1 if place else stage.stride,
                inside=entering if widening == 1 else multiple(entering * widening),
            )  # fmt: skip
    last = multiple(features.shape[-1] * _LAST)
    return convolution(features, last, "last", activation="hard_swish")
