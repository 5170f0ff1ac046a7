"""MobileFaceNet: inverted residuals with PReLU, for embeddings of faces (arXiv:1804.07573).

Its head is a global depthwise convolution: each place of the last map has weights of its own, as an
eye means another thing than a chin does.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from components.ml.networks.blocks import (
    Stage,
    convolution,
    count,
    depthwise,
    inverted_residual,
    multiple,
)

_STEM, _LAST = 64, 512
_STAGES = (
    Stage(64, 5, 2, 2, activation="prelu"),
    Stage(128, 1, 2, 4, activation="prelu"),
    Stage(128, 6, 1, 2, activation="prelu"),
    Stage(128, 1, 2, 4, activation="prelu"),
    Stage(128, 2, 1, 2, activation="prelu"),
)


def mobilefacenet(
    image: Any, *, alpha: float = 1.0, depth: float = 1.0, expansion: float | None = None
) -> Any:
    """Return the map of MobileFaceNet after its last convolution of 1 x 1.

    Args:
        image: The input.
        alpha: Width against the usual one, above 0.
        depth: Blocks of a stage against the usual number, above 0.
        expansion: Channels inside a block against those that enter it; None takes the paper's 2,
            and 4 where the map is halved.
    """
    stem = multiple(_STEM * alpha)
    features = convolution(image, stem, "stem", kernel=3, stride=2, activation="prelu")
    features = depthwise(features, "stem_depthwise", activation="prelu")
    number = 0
    for stage in _STAGES:
        here = replace(stage, channels=multiple(stage.channels * alpha))
        widening = stage.expansion if expansion is None else expansion
        for place in range(count(stage.blocks, depth)):
            number += 1
            features = inverted_residual(
                features, here, f"block{number}",
                stride=1 if place else stage.stride,
                inside=max(1, round(features.shape[-1] * widening)),
            )  # fmt: skip
    return convolution(features, multiple(_LAST * alpha), "last", activation="prelu")
