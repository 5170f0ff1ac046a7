"""Small networks of the kinds that are compressed: with random weights and used batch norms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

SHAPE = (16, 16, 1)
SIZE = 8


def plain(layers: Any, flow: Any) -> Any:
    """Convolutions with batch norm and ReLU, pooled."""
    for channels, strides in ((8, 2), (16, 2)):
        flow = layers.Conv2D(channels, 3, strides, padding="same", use_bias=False)(flow)
        flow = layers.ReLU()(layers.BatchNormalization()(flow))
    flow = layers.Dropout(0.1)(layers.GlobalAveragePooling2D()(flow))
    return layers.Dense(SIZE)(flow)


def inverted_residuals(layers: Any, flow: Any) -> Any:
    """Two blocks of MobileNetV2."""
    flow = _normed(layers, layers.Conv2D(8, 3, 2, padding="same", use_bias=False)(flow))
    flow = layers.ReLU(6.0)(flow)
    for _ in range(2):
        inner = _normed(layers, layers.Conv2D(16, 1, use_bias=False)(flow))
        inner = layers.ZeroPadding2D(1)(layers.ReLU(6.0)(inner))
        inner = _normed(layers, layers.DepthwiseConv2D(3, use_bias=False)(inner))
        inner = layers.Conv2D(8, 1, use_bias=False)(layers.ReLU(6.0)(inner))
        flow = layers.Add()([flow, _normed(layers, inner)])
    return layers.Dense(SIZE)(layers.GlobalAveragePooling2D()(flow))


def prelu(layers: Any, flow: Any) -> Any:
    """PReLU, a squeeze-excite of sigmoids, joined maps, a depthwise head, and unit length."""
    flow = _normed(layers, layers.Conv2D(8, 3, 2, padding="same", use_bias=False)(flow))
    flow = layers.PReLU(shared_axes=[1, 2])(flow)
    inner = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(flow)
    inner = layers.PReLU(shared_axes=[1, 2])(_normed(layers, inner))
    squeezed = layers.GlobalAveragePooling2D(keepdims=True)(inner)
    squeezed = layers.Conv2D(4, 1, activation="relu")(squeezed)
    inner = layers.Multiply()([inner, layers.Conv2D(8, 1, activation="sigmoid")(squeezed)])
    pooled = layers.MaxPooling2D(3, 1, padding="same")(inner)
    flow = layers.Concatenate()([layers.Add()([flow, inner]), pooled])
    flow = layers.LeakyReLU(0.1)(layers.Conv2D(8, 1)(flow))
    flow = _normed(layers, layers.DepthwiseConv2D(8, use_bias=False)(flow))
    return layers.UnitNormalization()(layers.Dense(SIZE)(layers.Flatten()(flow)))


def hard_swish(layers: Any, flow: Any) -> Any:
    """A block of MobileNetV3: hard swish, and a squeeze-excite of hard sigmoids."""
    flow = _normed(layers, layers.Conv2D(8, 3, 2, padding="same", use_bias=False)(flow))
    flow = layers.Multiply()([flow, _hard_sigmoid(layers, flow)])
    inner = _normed(layers, layers.DepthwiseConv2D(3, padding="same", use_bias=False)(flow))
    inner = layers.Multiply()([_hard_sigmoid(layers, inner), inner])
    squeezed = layers.GlobalAveragePooling2D(keepdims=True)(inner)
    squeezed = layers.Conv2D(8, 1)(layers.ReLU()(layers.Conv2D(4, 1)(squeezed)))
    inner = layers.Multiply()([inner, _hard_sigmoid(layers, squeezed)])
    inner = _normed(layers, layers.Conv2D(8, 1, use_bias=False)(inner))
    flow = layers.Add()([flow, inner])
    return layers.Dense(SIZE, activation="softmax")(layers.GlobalAveragePooling2D()(flow))


def shared(layers: Any, flow: Any) -> Any:
    """Layers of all other kinds, one that is used twice with a norm each time, one of three."""
    flow = layers.SeparableConv2D(8, 3, strides=2, padding="same")(flow)
    flow = layers.Activation("swish")(_normed(layers, flow))
    other = layers.Conv2DTranspose(8, 3, padding="same", use_bias=False)(flow)
    other = layers.ReLU()(_normed(layers, other))
    flow = layers.ReLU(3.0)(_normed(layers, layers.Subtract()([flow, other])))
    twice = layers.Conv2D(8, 3, padding="same", use_bias=False, name="twice")
    first, second = layers.BatchNormalization(name="one"), layers.BatchNormalization(name="two")
    flow = layers.Add()([first(twice(flow)), second(twice(other))])
    both, norm = layers.Dense(8, name="both"), layers.BatchNormalization(name="of_both")
    flow = layers.Maximum()([norm(both(flow)), norm(both(other))])
    return layers.Dense(SIZE, activation="tanh")(layers.Flatten()(flow))


def joined(layers: Any, flow: Any) -> Any:
    """A block of DenseNet: norms that follow no convolution, and maps joined behind one another."""
    flow = layers.Normalization(mean=[0.1], variance=[0.5])(flow)
    flow = layers.Conv2D(6, 3, 2, padding="same")(flow)
    for _ in range(2):
        inner = layers.Conv2D(4, 3, padding="same")(layers.ReLU()(_normed(layers, flow)))
        flow = layers.Concatenate()([flow, inner])
    branches = [layers.Conv2D(4, 1)(flow), layers.MaxPooling2D(3, 1, padding="same")(
        layers.Conv2D(4, 1)(flow)), layers.ReLU()(layers.Conv2D(4, 1)(flow))]  # fmt: skip
    flow = layers.Rescaling([1.5, 0.5] * 6, offset=0.3)(layers.Concatenate()(branches))
    ends = [
        layers.GlobalAveragePooling2D()(flow),
        layers.Dense(4)(layers.GlobalMaxPooling2D()(flow)),
    ]
    return layers.Dense(SIZE)(_normed(layers, layers.Concatenate()(ends)))


def rows(layers: Any, flow: Any) -> Any:
    """Convolutions along the rows of an image, and the larger of two maps."""
    from components.ml.networks.arithmetic import Arithmetic

    flow = layers.Reshape(SHAPE[:2])(flow)
    flow = layers.ReLU()(_normed(layers, layers.SeparableConv1D(8, 3, padding="same")(flow)))
    flow = layers.SeparableConv1D(8, 3, padding="same", depth_multiplier=2)(flow)
    flow = layers.Activation("tanh")(_normed(layers, layers.Conv1D(8, 3, padding="same")(flow)))
    other = Arithmetic("maximum", constant=0.1)(layers.Conv1D(8, 1)(flow))
    return layers.Dense(SIZE)(layers.Flatten()(Arithmetic("minimum")([flow, other])))


NETWORKS: Mapping[str, Callable[[Any, Any], Any]] = {
    "plain": plain,
    "inverted_residuals": inverted_residuals,
    "prelu": prelu,
    "hard_swish": hard_swish,
    "shared": shared,
    "joined": joined,
    "rows": rows,
}


def build(name: str) -> Any:
    """Return a network with random weights, in which every layer matters."""
    from components.ml.runtime import configure, tf_keras

    configure(threads=2, seed=0)
    image = tf_keras.Input(SHAPE, name="image")
    model = tf_keras.Model(image, NETWORKS[name](tf_keras.layers, image))
    scramble(model)
    return model


def scramble(model: Any) -> None:
    """Give a model's batch norms, biases and slopes weights as if they had been trained."""
    random = np.random.default_rng(0)
    for weight in model.weights:
        if "variance" in weight.name or "gamma" in weight.name:
            weight.assign(random.uniform(0.5, 2, weight.shape))
        elif "alpha" in weight.name:
            weight.assign(random.uniform(0.1, 0.4, weight.shape))
        elif len(weight.shape) == 1:
            weight.assign(random.normal(0.2, 0.3, weight.shape))
        else:
            weight.assign(1.5 * weight)


def images(count: int = 48) -> np.ndarray:
    """Return stripes of all directions, widths and contrasts, uint8, count x 16 x 16 x 1.

    One has a black and a white pixel.
    """
    random = np.random.default_rng(1)
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    turn, width, phase = random.uniform(0, (np.pi, 2, 6), (count, 3)).T[..., None, None]
    waves = np.sin((rows * np.sin(turn) + columns * np.cos(turn)) * width + phase)
    light, contrast = random.uniform((60, 10), (200, 120), (count, 2)).T[..., None, None]
    pixels = (light + contrast * waves).clip(0, 255).astype(np.uint8)[..., None]
    pixels[0, 0, 0], pixels[0, -1, -1] = 0, 255
    return pixels


def write(path: Path, model: Any) -> Path:
    """Write the Model of a network that embeds."""
    from components.artifacts.model import Embedding, ImageInput, ModelInfo
    from components.ml.formats import model_folder

    info = ModelInfo("verification", ImageInput(*SHAPE), Embedding(SIZE), 0)
    model_folder.save(path, model, info.after({"component": "train"}))
    return path


def _normed(layers: Any, flow: Any) -> Any:
    return layers.BatchNormalization()(flow)


def _hard_sigmoid(layers: Any, flow: Any) -> Any:
    return layers.Rescaling(1 / 6)(layers.ReLU(6.0)(layers.Rescaling(1.0, 3.0)(flow)))
