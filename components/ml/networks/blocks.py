"""Blocks: what several families of backbones are built of.

Every block is made of plain layers that the converter folds: a batch norm into the convolution
before it, an activation into both; a hard swish written as ``x * relu6(x + 3) / 6`` becomes one
operator.

Shapes: b images of a batch, h rows, w columns, c channels.

References:
    Howard et al., MobileNets, arXiv:1704.04861, and MobileNetV3, arXiv:1905.02244 (hard swish);
    Sandler et al., MobileNetV2, arXiv:1801.04381 (inverted residuals); Hu et al.,
    Squeeze-and-Excitation, arXiv:1709.01507.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from components.ml.runtime import tf_keras

Activation: TypeAlias = Literal["relu", "relu6", "hard_swish", "swish", "prelu", "linear"]


@dataclass(frozen=True)
class Stage:
    """Inverted residuals of one width, of which the first may halve the map.

    Attributes:
        channels: That come out.
        blocks: How many.
        stride: Of the first.
        expansion: Channels inside a block against those that enter it; 1 does not widen them.
        kernel: Side of the depthwise convolution.
        squeeze: Channels of the squeeze-and-excitation against those of the map that ``gate`` is
            of; 0 goes without.
        activation: After the expansion and the depthwise convolution.
    """

    channels: int
    blocks: int
    stride: int
    expansion: float
    kernel: int = 3
    squeeze: float = 0.0
    activation: Activation = "relu6"


def multiple(channels: float, of: int = 8) -> int:
    """Round channels to a multiple, at least one of it, and never below nine tenths of them."""
    rounded = max(of, int(channels + of / 2) // of * of)
    return rounded + of if rounded < 0.9 * channels else rounded


def count(blocks: int, depth: float) -> int:
    """Return how many blocks a stage has when it is ``depth`` times as deep, at least one."""
    return max(1, round(blocks * depth))


def activated(features: Any, activation: Activation, name: str) -> Any:
    """Apply an activation, in plain layers whose names begin with ``name``."""
    layers = tf_keras.layers
    if activation == "linear":
        return features
    if activation == "relu":
        return layers.ReLU(name=f"{name}_relu")(features)
    if activation == "relu6":
        return layers.ReLU(6.0, name=f"{name}_relu")(features)
    if activation == "prelu":
        return layers.PReLU(shared_axes=[1, 2], name=f"{name}_prelu")(features)
    if activation == "swish":
        return layers.Activation("swish", name=f"{name}_swish")(features)
    gate = hard_sigmoid(features, f"{name}_gate")
    return layers.Multiply(name=f"{name}_swish")([features, gate])


def hard_sigmoid(features: Any, name: str) -> Any:
    """Return relu6(x + 3) / 6, which is not what Keras 2 calls so."""
    layers = tf_keras.layers
    shifted = layers.Rescaling(1.0, 3.0, name=f"{name}_shift")(features)
    limited = layers.ReLU(6.0, name=f"{name}_relu")(shifted)
    return layers.Rescaling(1.0 / 6.0, name=f"{name}_scale")(limited)


def convolution(
    features: Any,
    channels: int,
    name: str,
    *,
    kernel: int = 1,
    stride: int = 1,
    activation: Activation = "relu6",
) -> Any:
    """Convolve, normalize and activate."""
    layers = tf_keras.layers
    features = layers.Conv2D(
        channels, kernel, strides=stride, padding="same", use_bias=False,
        kernel_initializer="he_normal", name=name,
    )(features)  # fmt: skip
    features = layers.BatchNormalization(epsilon=1e-3, name=f"{name}_norm")(features)
    return activated(features, activation, name)


def depthwise(
    features: Any,
    name: str,
    *,
    kernel: int = 3,
    stride: int = 1,
    activation: Activation = "relu6",
) -> Any:
    """Convolve each channel by itself, normalize and activate."""
    layers = tf_keras.layers
    features = layers.DepthwiseConv2D(
        kernel, strides=stride, padding="same", use_bias=False, name=name,
        depthwise_initializer=spread(kernel * kernel),
    )(features)  # fmt: skip
    features = layers.BatchNormalization(epsilon=1e-3, name=f"{name}_norm")(features)
    return activated(features, activation, name)


def spread(inputs: int) -> Any:
    """Return the initializer for weights of which so many make one number.

    Keras' own take all channels for inputs of a depthwise convolution, which sees one.
    """
    most = (6.0 / inputs) ** 0.5
    return tf_keras.initializers.RandomUniform(-most, most)


def squeezed(
    features: Any,
    channels: int,
    name: str,
    *,
    activation: Activation,
    gate: Literal["hard", "soft"],
) -> Any:
    """Weigh the channels of an image by what they hold on average (squeeze-and-excitation).

    Args:
        features: A map ``bhwc``.
        channels: Numbers between.
        name: What the layers' names begin with.
        activation: Of these numbers.
        gate: Which sigmoid the weights go through.
    """
    layers = tf_keras.layers
    mean = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_pool")(features)
    reduced = layers.Conv2D(channels, 1, name=f"{name}_reduce")(mean)
    reduced = activated(reduced, activation, f"{name}_reduce")
    weights = layers.Conv2D(features.shape[-1], 1, name=f"{name}_expand")(reduced)
    if gate == "hard":
        weights = hard_sigmoid(weights, f"{name}_gate")
    else:
        weights = layers.Activation("sigmoid", name=f"{name}_gate")(weights)
    return layers.Multiply(name=f"{name}_weigh")([features, weights])


def inverted_residual(features: Any, stage: Stage, name: str, *, stride: int, inside: int) -> Any:
    """Widen, convolve each channel, narrow, and add what came in where that has the same shape.

    Args:
        features: A map ``bhwc``.
        stage: What the block is one of; its squeeze is taken of ``inside``.
        name: What the layers' names begin with.
        stride: Of this block.
        inside: Channels between; as many as come in go without the first convolution.
    """
    entered = features
    if inside != features.shape[-1]:
        features = convolution(features, inside, f"{name}_expand", activation=stage.activation)
    features = depthwise(
        features, f"{name}_depthwise",
        kernel=stage.kernel, stride=stride, activation=stage.activation,
    )  # fmt: skip
    if stage.squeeze:
        gated = multiple(inside * stage.squeeze)
        features = squeezed(features, gated, f"{name}_squeeze", activation="relu", gate="hard")
    features = convolution(features, stage.channels, f"{name}_project", activation="linear")
    if stride == 1 and entered.shape[-1] == stage.channels:
        features = tf_keras.layers.Add(name=f"{name}_add")([entered, features])
    return features
