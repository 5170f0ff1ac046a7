"""How important channels and residual blocks are: by the answers, by weights, by batch norms.

By the answers, a channel is as important as they would change without it, to first order: a gate
before every kernel that reads it, which is 1, has a derivative, and that is the sum of weight times
derivative over all weights that read the channel. The network is asked how numbers of its answers
change, in random directions: no labels are needed, and what is kept is what it answered before.

Shapes: b images in a batch, d numbers of an output, c channels of a layer's input, u units.

References:
    Molchanov et al., Pruning Convolutional Neural Networks, arXiv:1611.06440 (the Taylor
    criterion, on what a gate would do to a cost); Theis et al., arXiv:1801.05787 (its mean square
    over images); Fang et al., DepGraph, arXiv:2301.12900 (all layers that share a channel count).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from components.artifacts.model import Embedding, ModelInfo, Scores
from components.contract.errors import UserError
from components.ml.graphs.channel_cutting import readings_of
from components.ml.graphs.channels import Channels, Group, LayerChannels, makes_channels
from components.ml.graphs.costs import multiplied_by
from components.ml.graphs.residual_blocks import ResidualBlock
from components.ml.runtime import tf, tf_keras
from components.ml.techniques.channel_selection import Scores as GroupScores
from components.ml.techniques.channel_settings import Importance
from components.ml.training import losses

_LEAST = 1e-12
"""Probability below which a softmax says nothing more."""


def channel_scores(
    model: Any,
    channels: Channels,
    importance: Importance,
    images: Iterable[np.ndarray],
    info: ModelInfo,
    seed: int,
) -> GroupScores:
    """Return how important the units of every group are that can lose some.

    Args:
        model: Functional and flat.
        channels: Its own.
        importance: By what.
        images: Batches ``bhwc`` as the network takes them; read by ``taylor`` alone.
        info: Says what the answers are.
        seed: Of the random directions.
    """
    if importance == "taylor":
        scores_u = _by_answers(model, channels, images, info, seed)
    elif importance == "l2":
        scores_u = _by_weights(channels)
    else:
        scores_u = _by_batch_norms(channels)
    return {
        place: scores_u[group.units_u]
        for place, group in enumerate(channels.groups)
        if group.frozen is None
    }


def block_scores(
    model: Any,
    blocks: Sequence[ResidualBlock],
    importance: Importance,
    images: Iterable[np.ndarray],
    info: ModelInfo,
    seed: int,
) -> np.ndarray:
    """Return how important each residual block is; see ``channel_scores``."""
    if importance == "taylor":
        return _blocks_by_answers(model, blocks, images, info, seed)
    scores = [_block_by_weights(model, block, importance) for block in blocks]
    return np.array(scores)


def _by_answers(
    model: Any, channels: Channels, images: Iterable[np.ndarray], info: ModelInfo, seed: int
) -> np.ndarray:
    read = [
        (each, kernel)
        for each in channels.layers.values()
        if makes_channels(each.layer)
        for kernel in multiplied_by(each.layer)[:1]
    ]
    kernels = [kernel for _, kernel in read]

    @tf.function(autograph=False, reduce_retracing=True)
    def derivatives(images_bhwc: Any, step: Any) -> Any:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(kernels)
            number = _in_random_directions(model(images_bhwc, training=False), info, seed, step)
        gradients = tape.gradient(number, kernels)
        return [kernel * gradient for kernel, gradient in zip(kernels, gradients, strict=True)]

    total_u, images_seen = np.zeros(channels.units), 0
    for step, images_bhwc in enumerate(images):
        gates_u = np.zeros(channels.units)
        products = derivatives(tf.constant(images_bhwc), tf.constant(step))
        for (each, _), product in zip(read, products, strict=True):
            np.add.at(gates_u, each.inputs_c, readings_of(each, product.numpy()))
        total_u += gates_u**2
        images_seen += len(images_bhwc)
    return total_u / images_seen


def _in_random_directions(outputs_bd: Any, info: ModelInfo, seed: int, step: Any) -> Any:
    """Return the sum of all answers, each number with a random sign.

    The signs of images do not depend on each other, so that the expected square of a derivative
    is the sum over images of what each answer would change by.
    """
    if isinstance(info.output, Embedding):
        learned_bd = losses.unit(outputs_bd)
    else:
        learned_bd = _logits(outputs_bd, info.output)
    random = tf.random.stateless_uniform(tf.shape(learned_bd), [seed, step])
    return tf.reduce_sum(learned_bd * tf.where(random < 0.5, -1.0, 1.0))


def _logits(outputs_bd: Any, scores: Scores) -> Any:
    if scores.activation == "softmax":
        outputs_bd = tf.math.log(tf.maximum(outputs_bd, _LEAST))
    elif scores.activation == "sigmoid":
        return losses.logits_of_sigmoid(outputs_bd)
    return outputs_bd - tf.reduce_mean(outputs_bd, axis=1, keepdims=True)


def _by_weights(channels: Channels) -> np.ndarray:
    """Return the length of all weights that make or read a unit."""
    squares_u = np.zeros(channels.units)
    for each in channels.layers.values():
        for kernel in multiplied_by(each.layer)[:1] if makes_channels(each.layer) else ():
            np.add.at(squares_u, each.inputs_c, readings_of(each, kernel.numpy() ** 2))
        for kernel in multiplied_by(each.layer)[-1:]:
            np.add.at(squares_u, each.outputs_c, _makings(each, kernel.numpy() ** 2))
    return np.sqrt(squares_u)


def _makings(each: LayerChannels, weights: np.ndarray) -> np.ndarray:
    """Sum a kernel's numbers for each channel that it makes."""
    if isinstance(each.layer, tf_keras.layers.Conv2DTranspose):
        weights = np.swapaxes(weights, -1, -2)
    if not makes_channels(each.layer):  # depthwise: channels times multiplier
        weights = weights.reshape(*weights.shape[:-2], -1)
    return weights.reshape(-1, len(each.outputs_c)).sum(axis=0)


def _by_batch_norms(channels: Channels) -> np.ndarray:
    """Return the mean scale of the batch norms that a unit goes through; NaN where it has none."""
    sums_u, counts_u = np.zeros(channels.units), np.zeros(channels.units)
    for each in channels.layers.values():
        if isinstance(each.layer, tf_keras.layers.BatchNormalization) and each.layer.scale:
            np.add.at(sums_u, each.outputs_c, np.abs(each.layer.gamma.numpy()))
            np.add.at(counts_u, each.outputs_c, 1)
    with np.errstate(invalid="ignore"):
        return sums_u / counts_u


def without_scale(channels: Channels, group: Group) -> str | None:
    """Return why batch norms do not tell how important the units of a group are, or None."""
    if np.isfinite(_by_batch_norms(channels)[group.units_u]).all():
        return None
    return "no batch norm scales these channels: importance: batch_norm"


def _blocks_by_answers(
    model: Any,
    blocks: Sequence[ResidualBlock],
    images: Iterable[np.ndarray],
    info: ModelInfo,
    seed: int,
) -> np.ndarray:
    """Return the mean square of what a gate behind each block would change."""
    answers = [block.answer for block in blocks]
    network = tf_keras.Model(model.inputs, [model.output, *answers])

    @tf.function(autograph=False, reduce_retracing=True)
    def derivatives(images_bhwc: Any, step: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(images_bhwc)
            outputs_bd, *blocks_bhwc = network(images_bhwc, training=False)
            number = _in_random_directions(outputs_bd, info, seed, step)
        gradients = tape.gradient(number, blocks_bhwc)
        return [
            tf.reduce_sum(values * gradient)
            for values, gradient in zip(blocks_bhwc, gradients, strict=True)
        ]

    total, images_seen = np.zeros(len(blocks)), 0
    for step, images_bhwc in enumerate(images):
        gates = derivatives(tf.constant(images_bhwc), tf.constant(step))
        total += np.square([float(gate) for gate in gates])
        images_seen += len(images_bhwc)
    return total / images_seen


def _block_by_weights(model: Any, block: ResidualBlock, importance: Importance) -> float:
    """Return the mean size of the last kernel of a block, or of its last batch norm's scale."""
    layers = [model.get_layer(name) for name in reversed(block.layers)]
    if importance == "l2":
        kernels = [kernel for layer in layers for kernel in multiplied_by(layer)[-1:]]
        sizes = [float(np.sqrt(np.mean(kernel.numpy() ** 2))) for kernel in kernels[:1]]
    else:
        norms = [
            layer for layer in layers
            if isinstance(layer, tf_keras.layers.BatchNormalization) and layer.scale
        ]  # fmt: skip
        sizes = [float(np.abs(norm.gamma.numpy()).mean()) for norm in norms[:1]]
    if not sizes:
        raise UserError(
            f"prune: the block that ends in {block.addition} has no "
            + ("kernel" if importance == "l2" else "batch norm with a scale"),
            "write importance: taylor",
        )
    return sizes[0]
