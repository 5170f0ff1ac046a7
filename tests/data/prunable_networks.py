"""Networks whose channels are tied in every way that is known, with random weights.

The published ones are narrow and shallow, and are what ``import_model`` makes of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np

from components.ml.graphs.flattening import flattened
from components.ml.networks import architecture
from components.ml.runtime import tf_keras

_KERAS = tf_keras.layers
_SIDE = 32


def randomized(model: Any, seed: int = 0) -> Any:
    """Return the flat model of known layers with random statistics of its batch norms."""
    known = architecture.build(json.loads(model.to_json()), model.name)
    random = np.random.default_rng(seed)
    for weight in known.weights:
        name, shape = weight.name.rsplit("/", 1)[-1], weight.shape
        if "gamma" in name or "moving_variance" in name:
            weight.assign(random.uniform(0.5, 1.5, shape))
        elif "kernel" in name:
            inputs = np.prod(shape[:-2]) * (1 if "depthwise" in name else shape[-2])
            weight.assign(random.normal(size=shape) * np.sqrt(1.5 / inputs))
        elif any(part in name for part in ("bias", "beta", "moving_mean", "alpha")):
            weight.assign(random.normal(size=shape) * 0.2)
    return flattened(known, tuple(model.inputs[0].shape[1:]))


def _mobilenet_v2() -> Any:
    image = _KERAS.Input((_SIDE, _SIDE, 3))
    return tf_keras.applications.MobileNetV2(
        input_tensor=image, weights=None, alpha=0.35, classes=10, classifier_activation=None
    )


def _mobilenet_v3() -> Any:
    from tf_keras.src.applications import mobilenet_v3

    def stack(x: Any, kernel: int, activation: Callable[..., Any], se_ratio: float) -> Any:
        block, relu = mobilenet_v3._inverted_res_block, mobilenet_v3.relu
        x = block(x, 1, 16, 3, 2, se_ratio, relu, 0)
        x = block(x, 4, 24, 3, 2, None, relu, 1)
        x = block(x, 3, 24, 3, 1, None, relu, 2)
        x = block(x, 4, 40, kernel, 2, se_ratio, activation, 3)
        return block(x, 3, 40, kernel, 1, se_ratio, activation, 4)

    return mobilenet_v3.MobileNetV3(
        lambda x, kernel, activation, se_ratio: stack(x, kernel, activation, se_ratio),
        64, input_shape=(_SIDE, _SIDE, 3), model_type="small", minimalistic=False, weights=None,
        classes=10, classifier_activation=None, alpha=1.0, include_top=True, input_tensor=None,
        pooling=None, dropout_rate=0.2, include_preprocessing=True,
    )  # fmt: skip


def _efficientnet_b0() -> Any:
    from tf_keras.src.applications import efficientnet

    blocks = [
        {"kernel_size": 3, "repeats": 1, "filters_in": 32, "filters_out": 16, "expand_ratio": 1,
         "id_skip": True, "strides": 1, "se_ratio": 0.25},
        {"kernel_size": 3, "repeats": 2, "filters_in": 16, "filters_out": 24, "expand_ratio": 6,
         "id_skip": True, "strides": 2, "se_ratio": 0.25},
    ]  # fmt: skip
    return efficientnet.EfficientNet(
        1.0, 1.0, 32, input_shape=(_SIDE, _SIDE, 3), weights=None, blocks_args=blocks, classes=10,
        classifier_activation=None, model_name="efficientnet_small",
    )  # fmt: skip


def _resnet(version: int) -> Any:
    from tf_keras.src.applications import resnet

    stack = resnet.stack1 if version == 1 else resnet.stack2

    def stacks(x: Any) -> Any:
        x = (
            stack(x, 16, 2, stride1=1, name="conv2")
            if version == 1
            else stack(x, 16, 2, name="conv2")
        )
        return stack(x, 24, 3, name="conv3")

    return resnet.ResNet(
        stacks, version == 2, True, f"resnet_v{version}", input_shape=(_SIDE, _SIDE, 3),
        weights=None, classes=10, classifier_activation=None,
    )  # fmt: skip


def _densenet() -> Any:
    from tf_keras.src.applications import densenet

    return densenet.DenseNet(
        [2, 2, 2, 2], input_shape=(_SIDE, _SIDE, 3), weights=None, classes=10,
        classifier_activation=None,
    )  # fmt: skip


def _squeeze_excite(x: Any) -> Any:
    channels = x.shape[-1]
    gate = _KERAS.GlobalAveragePooling2D()(x)
    gate = _KERAS.Reshape((1, 1, channels))(gate)
    gate = _KERAS.Conv2D(channels // 4, 1, activation="relu")(gate)
    gate = _KERAS.Conv2D(channels, 1, activation="sigmoid")(gate)
    return _KERAS.Multiply()([x, gate])


def _mobile_face_net() -> Any:
    """MobileFaceNet (arXiv:1804.07573), short, with squeeze and excitation and PReLU."""

    def bent(x: Any, shared: tuple[int, ...] = (1, 2)) -> Any:
        return _KERAS.PReLU(shared_axes=shared)(_KERAS.BatchNormalization()(x))

    def bottleneck(x: Any, expanded: int, channels: int, stride: int) -> Any:
        y = bent(_KERAS.Conv2D(expanded, 1, use_bias=False)(x))
        y = _KERAS.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False)(y)
        y = _squeeze_excite(bent(y))
        y = _KERAS.BatchNormalization()(_KERAS.Conv2D(channels, 1, use_bias=False)(y))
        return _KERAS.Add()([x, y]) if stride == 1 else y

    image = _KERAS.Input((_SIDE, _SIDE, 3))
    x = bent(_KERAS.Conv2D(24, 3, strides=2, padding="same", use_bias=False)(image), shared=())
    x = bent(_KERAS.DepthwiseConv2D(3, padding="same", use_bias=False)(x))
    for expanded, channels, stride in ((32, 24, 2), (48, 24, 1), (48, 24, 1), (48, 32, 2)):
        x = bottleneck(x, expanded, channels, stride)
    x = bent(_KERAS.Conv2D(64, 1, use_bias=False)(x))
    x = _KERAS.BatchNormalization()(_KERAS.DepthwiseConv2D(x.shape[1], use_bias=False)(x))
    x = _KERAS.Flatten()(_KERAS.Conv2D(16, 1)(x))
    return tf_keras.Model(image, _KERAS.UnitNormalization()(x))


def _grouped() -> Any:
    """Few wide groups, many narrow ones, and depthwise with more than one filter a channel."""
    image = _KERAS.Input((16, 16, 3))
    x = _KERAS.Conv2D(48, 3, padding="same", activation="relu")(image)
    x = _KERAS.Conv2D(64, 3, groups=2, padding="same", activation="relu", name="wide")(x)
    x = _KERAS.BatchNormalization()(x)
    x = _KERAS.Conv2D(32, 3, groups=16, padding="same", activation="relu", name="narrow")(x)
    x = _KERAS.DepthwiseConv2D(3, depth_multiplier=2, padding="same", activation="relu")(x)
    return tf_keras.Model(image, _KERAS.Dense(5)(_KERAS.GlobalAveragePooling2D()(x)))


def _separable() -> Any:
    """Separable and transposed convolutions."""
    image = _KERAS.Input((16, 16, 3))
    x = _KERAS.SeparableConv2D(24, 3, depth_multiplier=2, activation="relu")(image)
    x = _KERAS.SeparableConv2D(32, 3, strides=2, depth_multiplier=2, activation="relu")(x)
    x = _KERAS.Conv2DTranspose(16, 3, strides=2, activation="relu", use_bias=False)(x)
    x = _KERAS.BatchNormalization(scale=False)(x)
    x = _KERAS.Conv2DTranspose(24, 2, activation="relu")(x)
    return tf_keras.Model(image, _KERAS.Dense(5)(_KERAS.GlobalMaxPooling2D()(x)))


def _across_channels() -> Any:
    """Layer normalization and softmax inside of a network; all around them stays."""
    image = _KERAS.Input((16, 16, 3))
    x = first = _KERAS.Conv2D(16, 3, padding="same", name="first")(image)
    x = _KERAS.LayerNormalization(name="across")(x)
    x = _KERAS.Conv2D(40, 1, activation="gelu", name="hidden")(x)
    x = _KERAS.Add()([first, _KERAS.Conv2D(16, 1)(x)])
    x = _KERAS.LayerNormalization(axis=(1, 2), name="along")(_KERAS.Conv2D(24, 3)(x))
    gate = _KERAS.Conv2D(24, 1, activation="softmax", name="soft")(x)
    x = _KERAS.Conv2D(32, 3, activation="relu", name="free")(_KERAS.Concatenate()([x, gate]))
    x = _KERAS.Softmax(axis=-1)(_KERAS.Conv2D(16, 1, name="softer")(x))
    x = _KERAS.Permute((1, 3, 2))(_KERAS.Conv2D(24, 1, name="turned")(x))
    x = _KERAS.Flatten()(x)
    return tf_keras.Model(image, _KERAS.Dense(5)(_KERAS.Dense(16, name="last")(x)))


def _tangled() -> Any:
    """Concatenations, shared layers, models in models, flattened maps, one channel for all."""
    image = _KERAS.Input((16, 16, 3))
    one = _KERAS.Conv2D(8, 3, padding="same", name="one")(image)
    two = _KERAS.Conv2D(16, 3, padding="same", name="two")(image)
    both = _KERAS.Concatenate()([one, two, one])
    relu, shared = _KERAS.ReLU(), _KERAS.Conv2D(32, 1, name="shared")
    x = relu(shared(_KERAS.Add()([shared(both), both])))
    inner = tf_keras.Sequential(
        [
            _KERAS.Input((16, 16, 32)),
            tf_keras.Sequential([_KERAS.Input((16, 16, 32)), _KERAS.Conv2D(24, 3, name="deep")]),
            _KERAS.PReLU(),
        ],
        name="inner",
    )
    x = relu(inner(x))
    x = _KERAS.Multiply()([x, _KERAS.Conv2D(1, 1, activation="sigmoid", name="gate")(x)])
    x = _KERAS.MaxPooling2D(4)(x)
    x = _KERAS.Reshape((9, 24))(x)
    x = _KERAS.Conv1D(32, 3, activation="relu", name="along")(x)
    x = _KERAS.Reshape((7, 1, 32))(x)
    x = _KERAS.Dense(40, activation="relu", name="flat")(_KERAS.Flatten()(x))
    x = _KERAS.Dropout(0.5)(_KERAS.BatchNormalization()(x))
    return tf_keras.Model(image, _KERAS.Dense(5)(x))


SMALL: dict[str, Callable[[], Any]] = {
    "MobileNetV2": _mobilenet_v2,
    "MobileNetV3Small": _mobilenet_v3,
    "EfficientNetB0": _efficientnet_b0,
    "ResNet50": lambda: _resnet(1),
    "ResNet50V2": lambda: _resnet(2),
    "DenseNet121": _densenet,
    "MobileFaceNet": _mobile_face_net,
    "grouped": _grouped,
    "separable": _separable,
    "across channels": _across_channels,
    "tangled": _tangled,
}
"""Functions that build them, by name."""

_APPLICATIONS = (
    "MobileNetV2", "MobileNetV3Small", "EfficientNetB0", "ResNet50", "ResNet50V2", "DenseNet121",
)  # fmt: skip

FULL: dict[str, Callable[[], Any]] = {
    name: lambda name=name: getattr(tf_keras.applications, name)(
        input_shape=(96, 96, 3), weights=None, classifier_activation=None
    )
    for name in _APPLICATIONS
}
"""The published ones as they are."""


def random_network(seed: int) -> Any:
    """Return a network of 8 to 20 random layers, each of which reads any of those before it."""
    random = np.random.default_rng(seed)
    image = _KERAS.Input((8, 8, 3))
    maps = [_KERAS.Conv2D(8, 3, padding="same")(image)]
    shared = [_KERAS.Conv2D(8, 1), _KERAS.PReLU(shared_axes=(1, 2)), _KERAS.ReLU()]

    def one_of(items: list[Any]) -> Any:
        return items[random.integers(len(items))]

    def like(x: Any) -> list[Any]:
        return [other for other in maps if other.shape == x.shape]

    for _ in range(random.integers(8, 20)):
        x = one_of(maps)
        width = int(one_of([4, 6, 8, 12]))
        eight = [other for other in maps if other.shape[-1] == 8]
        makers: list[Callable[[], Any]] = [
            lambda x=x, w=width: _KERAS.Conv2D(w, 3, padding="same", activation="relu")(x),
            lambda x=x: _KERAS.BatchNormalization()(x),
            lambda x=x: _KERAS.DepthwiseConv2D(3, padding="same")(x),
            lambda x=x: _KERAS.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(x),
            lambda x=x, w=width: _KERAS.SeparableConv2D(w, 3, padding="same")(x),
            lambda x=x, w=width: _KERAS.Conv2DTranspose(w, 3, padding="same")(x),
            lambda x=x, w=width: _KERAS.Dense(w, activation="gelu")(x),
            lambda x=x: (
                _KERAS.Conv2D(2 * x.shape[-1], 3, groups=2, padding="same")(x)
                if x.shape[-1] % 2 == 0
                else _KERAS.ReLU()(x)
            ),
            lambda x=x: _KERAS.Conv2D(x.shape[-1], 3, groups=x.shape[-1], padding="same")(x),
            lambda x=x: _KERAS.Add()([x, one_of(like(x))]),
            lambda x=x: _KERAS.Multiply()([x, one_of(like(x))]),
            lambda x=x: _KERAS.Multiply()([x, _KERAS.Conv2D(1, 1)(x)]),
            lambda x=x: _KERAS.Concatenate()([x, one_of(maps)]),
            lambda x=x: _squeeze_excite(x) if x.shape[-1] >= 4 else x,
            lambda x=x: _KERAS.PReLU()(x),
            lambda x=x: _KERAS.Activation("sigmoid")(x),
            lambda x=x: _KERAS.LayerNormalization()(x),
            lambda x=x: _KERAS.Reshape((8, 8, x.shape[-1]))(_KERAS.Reshape((64, x.shape[-1]))(x)),
            lambda x=x: _KERAS.UpSampling2D((1, 2))(_KERAS.Reshape((8, 4, 2 * x.shape[-1]))(x)),
            lambda eight=eight: shared[0](one_of(eight)),
            lambda eight=eight: shared[1](one_of(eight)),
            lambda: shared[2](one_of(maps)),
        ]
        maps.append(one_of(makers)())
    ends = [_KERAS.GlobalAveragePooling2D()(x) for x in maps[-3:]]
    ends.append(_KERAS.Dense(6)(_KERAS.Flatten()(_KERAS.MaxPooling2D(4)(maps[-1]))))
    return tf_keras.Model(image, _KERAS.Dense(4)(_KERAS.Concatenate()(ends)))
