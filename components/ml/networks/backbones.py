"""Networks: a backbone and a head, from one normalized image to an embedding or to scores.

Every activation follows a batch norm (or is part of it, as ReLU6), and layers are plain ones that
the converter folds and quantizes. All layers have names of their own, so that the architecture of
a model does not depend on what its process built before.

Shapes: b images of a batch, h rows, w columns, c channels, d numbers that come out.

References:
    He et al., Deep Residual Learning, arXiv:1512.03385; those of each family stand in its module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from components.contract.errors import UserError
from components.ml.networks.blocks import spread
from components.ml.networks.efficientnet import LITE_SCALES, efficientnet
from components.ml.networks.fitting_network import check_network
from components.ml.networks.mobilefacenet import mobilefacenet
from components.ml.networks.mobilenet_v1 import mobilenet_v1
from components.ml.networks.mobilenet_v2 import mobilenet_v2
from components.ml.networks.mobilenet_v3 import mobilenet_v3
from components.ml.networks.plain_convolutions import conv, conv_of_widths
from components.ml.networks.pointwise import with_dense
from components.ml.networks.resolution import averaged, reduced
from components.ml.runtime import tf_keras
from components.ml.settings import Backbone, Network

INPUT = "image"
_SIDE_MIN = 4
_LINEAR_MOST = 1024
"""Numbers of an image that a linear map looks at, where nothing says how many."""

_FAMILIES: Mapping[str, Callable[..., Any]] = {
    "mobilenet_v1": mobilenet_v1,
    "mobilenet_v2": mobilenet_v2,
    "mobilenet_v3_small": partial(mobilenet_v3, large=False),
    "mobilenet_v3_large": partial(mobilenet_v3, large=True),
    "efficientnet_b0": efficientnet,
    **{f"efficientnet_lite{size}": partial(efficientnet, lite=size) for size in LITE_SCALES},
    "mobilefacenet": mobilefacenet,
    "conv": conv,
}
_WITHOUT_EXPANSION = ("mobilenet_v1", "conv")


def with_head(
    backbone: Backbone, image_shape: tuple[int, int, int], answer: str, size: int, **settings: Any
) -> Any:
    """Build an untrained network; see ``build``.

    Args:
        backbone: Which one.
        image_shape: Height, width and channels; any size from 4 x 4 pixels on.
        answer: "embedding" or "scores": how the last layer is called.
        size: Numbers that come out.
        **settings: Other fields of ``Network``.
    """
    return build(Network(backbone=backbone, **settings), image_shape, answer, size)


def build(network: Network, image_shape: tuple[int, int, int], answer: str, size: int) -> Any:
    """Build an untrained network.

    Args:
        network: What it is built of.
        image_shape: Height, width and channels; any size from 4 x 4 pixels on.
        answer: "embedding" or "scores": how the last layer is called.
        size: Numbers that come out.

    Returns:
        A ``tf_keras`` model from float32 ``bhwc`` to ``bd``, without softmax, and without
        normalization to length 1.

    Raises:
        UserError: Settings that mean nothing for the backbone, or an image too small.
    """
    check_network(network)
    if min(image_shape[:2]) < _SIDE_MIN:
        raise UserError(
            f"images of {image_shape[0]} x {image_shape[1]} are too small for {network.backbone}",
            "set image: height and width to 4 pixels or more",
        )
    image = tf_keras.Input(image_shape, name=INPUT)
    seen = image if network.resolution is None else reduced(image, network.resolution)
    if network.backbone == "linear":
        if network.resolution is None:
            seen = averaged(seen, _LINEAR_MOST)
        numbers = tf_keras.layers.Flatten(name="flat")(seen)
    else:
        numbers = _pooled(_features(network, seen), network)
    if network.dropout:
        numbers = tf_keras.layers.Dropout(network.dropout, name="dropout")(numbers)
    numbers = _answer(numbers, network, answer, size)
    model = tf_keras.Model(image, numbers, name=f"{network.backbone}_{answer}")
    if network.pointwise == "dense":
        model = with_dense(model)
    set_batch_norm_momentum(model, network.batch_norm_momentum)
    return model


def set_batch_norm_momentum(model: Any, momentum: float) -> None:
    """Set the momentum of all batch norms; functions that are already traced keep the old one."""
    for layer in model.layers:
        if isinstance(layer, tf_keras.layers.BatchNormalization):
            layer.momentum = momentum


def _features(network: Network, image: Any) -> Any:
    """Return the last map ``bhwc`` of a backbone."""
    if network.backbone == "resnet50":
        applications = tf_keras.applications
        return applications.ResNet50(include_top=False, weights=None, input_tensor=image).output
    if network.widths is not None:
        return conv_of_widths(
            image, network.widths,
            stem=network.stem, residuals=network.residuals, depth=network.depth,
        )  # fmt: skip
    given: dict[str, Any] = {"alpha": network.alpha, "depth": network.depth}
    if network.backbone not in _WITHOUT_EXPANSION:
        given["expansion"] = network.expansion
    return _FAMILIES[network.backbone](image, **given)


def _pooled(features_bhwc: Any, network: Network) -> Any:
    """Return numbers ``bc`` of a map: its mean, or a sum in which each place has its weights."""
    head = network.head or ("depthwise" if network.backbone == "mobilefacenet" else "pooled")
    layers = tf_keras.layers
    if head == "pooled":
        return layers.GlobalAveragePooling2D(name="pool")(features_bhwc)
    height, width = features_bhwc.shape[1:3]
    summed = layers.DepthwiseConv2D(
        (height, width), depthwise_initializer=spread(height * width), name="places"
    )(features_bhwc)
    return layers.Flatten(name="flat")(summed)


def _answer(numbers: Any, network: Network, name: str, size: int) -> Any:
    layers = tf_keras.layers
    if not network.embedding_norm:
        return layers.Dense(size, name=name)(numbers)
    vector = layers.Dense(size, use_bias=False, name=f"{name}_weights")(numbers)
    return layers.BatchNormalization(center=False, scale=False, name=name)(vector)
