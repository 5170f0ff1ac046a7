"""Importance: what the answers would lose, measured; weights and batch norms by hand."""

from typing import Any

import numpy as np

from components.artifacts.model import ImageInput, ModelInfo, Scores
from components.ml.graphs.channels import channels_of
from components.ml.graphs.residual_blocks import residual_blocks, without_blocks
from components.ml.runtime import configure, tf_keras
from components.ml.techniques.channel_settings import Importance
from components.ml.techniques.structure_importance import block_scores, channel_scores

_KERAS = tf_keras.layers
INFO = ModelInfo("classification", ImageInput(8, 8, 2), Scores(("a", "b", "c")), 0)


def linear() -> Any:
    """Two paths of 6 channels without activations, so that first order is all there is."""
    configure(threads=2, seed=0)
    image = _KERAS.Input((8, 8, 2))
    x = _KERAS.Conv2D(6, 3, name="first")(image)
    x = _KERAS.BatchNormalization(name="norm")(x)
    y = _KERAS.DepthwiseConv2D(3, name="deep")(x)
    y = _KERAS.Add()([_KERAS.GlobalAveragePooling2D()(y), _KERAS.GlobalAveragePooling2D()(x)])
    model = tf_keras.Model(image, _KERAS.Dense(3, name="end")(y))
    random = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(np.abs(random.normal(size=weight.shape)))
    return model


def scores_of(model: Any, importance: Importance, batches: int = 150) -> np.ndarray:
    random = np.random.default_rng(1)
    images = [random.normal(size=(4, 8, 8, 2)).astype(np.float32) for _ in range(batches)]
    (scores,) = channel_scores(model, channels_of(model), importance, images, INFO, 0).values()
    return scores


def test_what_the_answers_lose_is_what_taylor_says() -> None:
    model = linear()
    random = np.random.default_rng(2)
    images = random.normal(size=(400, 8, 8, 2)).astype(np.float32)
    kernel, bias = model.get_layer("end").get_weights()
    whole = model(images).numpy()
    lost = []
    for channel in range(6):
        without = kernel.copy()
        without[channel] = 0
        model.get_layer("end").set_weights([without, bias])
        change = whole - model(images).numpy()
        change -= change.mean(axis=1, keepdims=True)  # logits count against each other
        lost.append(float(np.square(change).sum(axis=1).mean()))
    model.get_layer("end").set_weights([kernel, bias])
    scores = scores_of(model, "taylor")
    assert np.allclose(scores / lost, 1, atol=0.35), scores / lost
    assert np.corrcoef(scores, lost)[0, 1] > 0.98


def test_weights_and_batch_norms_by_hand() -> None:
    model = linear()
    first, end = (model.get_layer(name).get_weights()[0] for name in ("first", "end"))
    deep = model.get_layer("deep").get_weights()[0]
    squares = (first**2).sum(axis=(0, 1, 2)) + (end**2).sum(axis=1) + (deep**2).sum(axis=(0, 1, 3))
    assert np.allclose(scores_of(model, "l2"), np.sqrt(squares), rtol=1e-5)
    gamma = model.get_layer("norm").get_weights()[0]
    assert np.allclose(scores_of(model, "batch_norm"), np.abs(gamma))


def test_a_block_is_as_important_as_what_the_answers_lose_without_it() -> None:
    configure(threads=2, seed=0)
    image = x = _KERAS.Input((8, 8, 2))
    for size in (0.1, 1.0, 0.3):
        start = tf_keras.initializers.RandomNormal(0, size, seed=int(10 * size))
        y = _KERAS.Conv2D(2, 3, padding="same", kernel_initializer=start)(x)
        x = _KERAS.Add()([x, y])
    model = tf_keras.Model(image, _KERAS.Dense(3)(_KERAS.Flatten()(x)))
    blocks = residual_blocks(model)
    random = np.random.default_rng(1)
    images = [random.normal(size=(4, 8, 8, 2)).astype(np.float32) for _ in range(60)]
    scores = block_scores(model, blocks, "taylor", images, INFO, 0)
    many = np.concatenate(images)
    lost = []
    for block in blocks:
        change = model(many).numpy() - without_blocks(model, [block])(many).numpy()
        change -= change.mean(axis=1, keepdims=True)
        lost.append(float(np.square(change).sum(axis=1).mean()))
    assert np.allclose(scores / lost, 1, atol=0.4), scores / lost
    assert list(np.argsort(block_scores(model, blocks, "l2", [], INFO, 0))) == [0, 2, 1]
