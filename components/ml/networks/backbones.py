"""Networks: a backbone and a head, from one normalized image to an embedding or to scores.

Every activation follows a batch norm (or is part of it, as ReLU6), and no layer here is one that
pruning, clustering or quantization would refuse. All layers have names of their own, so that
the architecture of a model does not depend on what its process built before.

References:
    He et al., Deep Residual Learning, arXiv:1512.03385; Sandler et al., MobileNetV2,
    arXiv:1801.04381.
"""

from __future__ import annotations

from typing import Any

from components.contract.errors import UserError
from components.ml.runtime import tf_keras
from components.ml.settings import Backbone

INPUT = "image"
_WIDTH = 32
"""Channels of the first convolution of ``conv`` at alpha 1."""


def with_head(
    backbone: Backbone,
    image_shape: tuple[int, int, int],
    head: str,
    size: int,
    *,
    alpha: float = 1.0,
    dropout: float = 0.0,
    batch_norm_momentum: float = 0.9,
) -> Any:
    """Build an untrained network.

    Args:
        backbone: Which one.
        image_shape: Height, width and channels; any size from 4 x 4 pixels on.
        head: "embedding" or "scores": how the last layer is called.
        size: Numbers that come out.
        alpha: Width of ``mobilenet_v2`` and ``conv``, above 0.
        dropout: Share of the pooled features that training hides from the head, 0 to below 1.
        batch_norm_momentum: Of the moving statistics. Keras' own 0.99 and 0.999 need thousands
            of steps before inference does what training did.

    Returns:
        A ``tf_keras`` model from float32 ``bhwc`` to ``bd``, without softmax or normalization.

    Raises:
        UserError: An alpha for ``resnet50``, whose width is fixed, or an image too small.
    """
    if min(image_shape[:2]) < 4:
        raise UserError(
            f"images of {image_shape[0]} x {image_shape[1]} are too small for {backbone}",
            "set image: height and width to 4 pixels or more",
        )
    image = tf_keras.Input(image_shape, name=INPUT)
    if backbone == "resnet50":
        if alpha != 1.0:
            raise UserError(
                f"resnet50 has one width, and alpha is {alpha}",
                "leave alpha away, or set backbone: mobilenet_v2 or conv",
            )
        features = _resnet50(image)
    elif backbone == "mobilenet_v2":
        features = _mobilenet_v2(image, alpha)
    else:
        features = _conv(image, alpha)
    pooled = tf_keras.layers.GlobalAveragePooling2D(name="pool")(features)
    if dropout:
        pooled = tf_keras.layers.Dropout(dropout, name="dropout")(pooled)
    model = tf_keras.Model(
        image, tf_keras.layers.Dense(size, name=head)(pooled), name=f"{backbone}_{head}"
    )
    set_batch_norm_momentum(model, batch_norm_momentum)
    return model


def set_batch_norm_momentum(model: Any, momentum: float) -> None:
    """Set the momentum of all batch norms; functions that are already traced keep the old one."""
    for layer in model.layers:
        if isinstance(layer, tf_keras.layers.BatchNormalization):
            layer.momentum = momentum


def _resnet50(image: Any) -> Any:
    applications = tf_keras.applications
    return applications.ResNet50(include_top=False, weights=None, input_tensor=image).output


def _mobilenet_v2(image: Any, alpha: float) -> Any:
    applications = tf_keras.applications
    return applications.MobileNetV2(
        include_top=False, weights=None, input_tensor=image, alpha=alpha
    ).output


def _conv(image: Any, alpha: float) -> Any:
    """Plain convolutions, halving until about 4 pixels are left: 3 layers for 8 x 8 pixels."""
    side = min(image.shape[1:3])
    features = _block(image, 1, _channels(1, alpha), stride=2 if side > 32 else 1)
    side = side // 2 if side > 32 else side
    number, times = 2, 1
    while side > 4:
        times = min(2 * times, 4)
        features = _block(features, number, _channels(times, alpha), stride=2)
        number, side = number + 1, (side + 1) // 2
    return _block(features, number, _channels(times, alpha), stride=1)


def _channels(times: int, alpha: float) -> int:
    """Round to a multiple of 4, at least 4: what vector units take at once."""
    return max(4, int(times * _WIDTH * alpha / 4 + 0.5) * 4)


def _block(features: Any, number: int, channels: int, stride: int) -> Any:
    layers, name = tf_keras.layers, f"block{number}"
    features = layers.Conv2D(
        channels, 3, strides=stride, padding="same", use_bias=False,
        kernel_initializer="he_normal", name=f"{name}_conv",
    )(features)  # fmt: skip
    features = layers.BatchNormalization(name=f"{name}_norm")(features)
    return layers.ReLU(name=f"{name}_relu")(features)
