"""Pruning as TFMOT's guide has it: Keras' own training on labels, with its wrappers and callback.

What is ours is the training images (as they are drawn and changed everywhere else), how often zeros
are chosen, the epoch that is kept, and that the zeros are counted afterwards.

Shapes: b images in a batch, h rows, w columns, c channels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from tensorflow_model_optimization.python.core.sparsity.keras import pruning_callbacks

from components.artifacts.model import ModelInfo, Scores
from components.contract.errors import UserError
from components.contract.progress import tell
from components.ml.runtime import tf, tf_keras
from components.ml.settings import Augmentation, Optimization
from components.ml.techniques.tfmot_wrapping import ValidationAfterPruning
from components.ml.training.augmentation import STRENGTHS, apply_changes
from components.ml.training.examples import DRAWS, IMAGES, Examples
from components.ml.training.loop import Epoch, History
from components.ml.training.objectives import LABELS
from components.ml.training.outputs import outputs_of
from components.ml.training.ruin import RuinedError


def fit(
    network: Any,
    info: ModelInfo,
    examples: Examples,
    validation: ValidationAfterPruning,
    optimization: Optimization,
    augmentation: Augmentation,
    seed: int,
) -> History:
    """Train a wrapped network on labels, with Adam at a constant learning rate.

    Args:
        network: Wrapped layers, see ``tfmot_wrapping.wrapped``; left with the weights of the epoch
            that is kept.
        info: Of the network.
        examples: What is learned from.
        validation: What decides on the best epoch once all zeros are chosen.
        optimization: Epochs, batch, learning rate, and which epoch is kept.
        augmentation: How images are changed.
        seed: Of the order of the images and of how each is changed.

    Raises:
        UserError: The network is for verification, or ends in scores that are no probabilities.
        RuinedError: The loss is no longer a finite number.
    """
    loss = _loss(info)
    network.compile(tf_keras.optimizers.Adam(optimization.learning_rate), loss)
    keeping = _MeasuredEpochs(validation, outputs_of(network, info), optimization)
    network.fit(
        _batches(info, examples, optimization, augmentation, seed),
        steps_per_epoch=examples.steps(optimization),
        epochs=optimization.epochs,
        verbose=0,
        callbacks=[pruning_callbacks.UpdatePruningStep(), keeping],
    )
    return keeping.history()


def _loss(info: ModelInfo) -> Any:
    activation = info.output.activation if isinstance(info.output, Scores) else None
    if activation not in ("none", "softmax"):
        what = "verification" if activation is None else f"scores of the kind {activation}"
        raise UserError(
            "prune: method: tfmot learns from the labels of a softmax, and the model is for "
            f"{what}",
            "write method: weights",
        )
    return tf_keras.losses.SparseCategoricalCrossentropy(from_logits=activation == "none")


def _batches(
    info: ModelInfo,
    examples: Examples,
    optimization: Optimization,
    augmentation: Augmentation,
    seed: int,
) -> Iterator[tuple[Any, np.ndarray]]:
    """Yield normalized images and labels, epoch after epoch."""

    @tf.function(autograph=False)
    def changed(images_bhwc: Any, draws_bk: Any, step: Any) -> Any:
        noise_seed = tf.stack([tf.constant(seed, tf.int32), step])
        pixels_bhwc = tf.cast(images_bhwc, tf.float32)
        strength = STRENGTHS[augmentation.augment]
        pixels_bhwc = apply_changes(pixels_bhwc, draws_bk, strength, noise_seed)
        return (pixels_bhwc - info.input.mean) / info.input.scale

    step = 0
    for number in range(1, optimization.epochs + 1):
        for batch in examples.epoch(number, optimization, flip=augmentation.flip, seed=seed):
            images, draws = tf.constant(batch[IMAGES]), tf.constant(batch[DRAWS])
            yield changed(images, draws, tf.constant(step)), batch[LABELS]
            step += 1


class _MeasuredEpochs(tf_keras.callbacks.Callback):
    """Measures every epoch and keeps the weights of the best, or of the last."""

    def __init__(
        self, validation: ValidationAfterPruning, outputs: Any, optimization: Optimization
    ) -> None:
        super().__init__()
        self._validation, self._outputs = validation, outputs
        self._optimization = optimization
        self._epochs: list[Epoch] = []
        self._kept: tuple[Epoch, list[np.ndarray]] | None = None

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Measure the network; Keras counts epochs from 0."""
        rate, loss = self._optimization.learning_rate, float((logs or {})["loss"])
        if not math.isfinite(loss):
            raise RuinedError(
                epoch + 1, None, f"training came apart in epoch {epoch + 1}: the loss is {loss}",
                f"set learning_rate below {rate:g}",
            )  # fmt: skip
        score = self._validation.measure(self._outputs)
        done = Epoch(epoch + 1, loss, rate, score)
        self._epochs.append(done)
        best = self._kept is None or score >= (self._kept[0].validation or 0.0)
        if best or self._optimization.keep == "last":
            self._kept = (done, self.model.get_weights())
        tell(
            epoch=epoch + 1, total=self._optimization.epochs, loss=loss,
            metric=self._validation.metric, value=score,
        )  # fmt: skip

    def history(self) -> History:
        """Give the network the weights that are kept, and return what every epoch came to."""
        assert self._kept, "there was an epoch"
        epoch, weights = self._kept
        self.model.set_weights(weights)
        return History(self._validation.metric, tuple(self._epochs), epoch)
