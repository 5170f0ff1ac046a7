"""EfficientNet-B0 and EfficientNet-Lite 0 to 4.

Lite is the form for phones: ReLU6 in place of swish, no squeeze-and-excitation, and the first and
last convolution and the first and last stage keep their size whatever the scale.

References:
    Tan and Le, EfficientNet, arXiv:1905.11946; "Higher accuracy on vision models with
    EfficientNet-Lite" (2020), blog.tensorflow.org.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from components.ml.networks.blocks import (
    Activation,
    Stage,
    convolution,
    depthwise,
    multiple,
    squeezed,
)
from components.ml.runtime import tf_keras

_STEM, _LAST = 32, 1280
_SQUEEZE = 0.25
"""Numbers of a squeeze-and-excitation against the channels that enter its block."""
_STAGES = (
    Stage(16, 1, 1, 1),
    Stage(24, 2, 2, 6),
    Stage(40, 2, 2, 6, kernel=5),
    Stage(80, 3, 2, 6),
    Stage(112, 3, 1, 6, kernel=5),
    Stage(192, 4, 2, 6, kernel=5),
    Stage(320, 1, 1, 6),
)
LITE_SCALES: Mapping[int, tuple[float, float]] = {
    0: (1.0, 1.0), 1: (1.0, 1.1), 2: (1.1, 1.2), 3: (1.2, 1.4), 4: (1.4, 1.8),
}  # fmt: skip
"""Width and depth of EfficientNet-Lite 0 to 4 against the first."""


def efficientnet(
    image: Any,
    *,
    lite: int | None = None,
    alpha: float = 1.0,
    depth: float = 1.0,
    expansion: float | None = None,
) -> Any:
    """Return the map of an EfficientNet after its last convolution.

    Args:
        image: The input.
        lite: 0 to 4 for that Lite; None for B0.
        alpha: Width against the usual one, above 0; of Lite's first and last convolution, too.
        depth: Blocks of a stage against the usual number, above 0.
        expansion: Channels inside a block that widens them, against those that enter it; None
            takes 6.
    """
    width, length = (1.0, 1.0) if lite is None else LITE_SCALES[lite]
    activation: Activation = "swish" if lite is None else "relu6"
    features = convolution(
        image, multiple(_STEM * alpha), "stem", kernel=3, stride=2, activation=activation
    )
    for index, stage in enumerate(_STAGES, 1):
        kept = lite is not None and index in (1, len(_STAGES))  # Lite scales the length of others
        blocks = stage.blocks if kept else math.ceil(stage.blocks * length)
        widening = stage.expansion
        if expansion is not None and widening > 1:
            widening = expansion
        for place in range(max(1, round(blocks * depth))):
            features = _block(
                features, f"stage{index}_block{place + 1}", stage,
                channels=multiple(stage.channels * width * alpha),
                stride=1 if place else stage.stride,
                widening=widening, activation=activation, gated=lite is None,
            )  # fmt: skip
    return convolution(features, multiple(_LAST * alpha), "last", activation=activation)


def _block(
    features: Any,
    name: str,
    stage: Stage,
    *,
    channels: int,
    stride: int,
    widening: float,
    activation: Activation,
    gated: bool,
) -> Any:
    entered, entering = features, features.shape[-1]
    if widening != 1:
        inside = max(1, round(entering * widening))
        features = convolution(features, inside, f"{name}_expand", activation=activation)
    features = depthwise(
        features, f"{name}_depthwise", kernel=stage.kernel, stride=stride, activation=activation
    )
    if gated:
        numbers = max(1, int(entering * _SQUEEZE))
        features = squeezed(
            features, numbers, f"{name}_squeeze", activation=activation, gate="soft"
        )
    features = convolution(features, channels, f"{name}_project", activation="linear")
    if stride == 1 and entering == channels:
        features = tf_keras.layers.Add(name=f"{name}_add")([entered, features])
    return features
