"""The training loop: one graph a step, everything random drawn from the seed outside of it.

Shapes: b images in a batch, h rows, w columns, c channels, d numbers of an output.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from components.artifacts.history import Curve, CurvePoint, thinned
from components.artifacts.model import ModelInfo
from components.contract.progress import tell
from components.ml.runtime import tf
from components.ml.settings import Augmentation, Optimization
from components.ml.training.augmentation import STRENGTHS, apply_changes
from components.ml.training.examples import DRAWS, IMAGES, Examples
from components.ml.training.features import with_features
from components.ml.training.objectives import PIXELS, Objective
from components.ml.training.optimizers import Updates, learning_rate_at
from components.ml.training.outputs import outputs_of
from components.ml.training.ruin import RuinedError, refuse_ruin
from components.ml.training.validation import Measure

_VALIDATIONS = 20
"""How often a training looks at the validation split, at most."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to.

    Attributes:
        number: From 1; 0 are the weights before the first.
        loss: Mean over its batches; None before the first.
        learning_rate: At its end.
        validation: The metric on the validation split, 0 to 1; None when it was not measured.
    """

    number: int
    loss: float | None
    learning_rate: float
    validation: float | None


@dataclass(frozen=True)
class History:
    """What a training came to.

    Attributes:
        metric: What validation measures.
        epochs: All that were run.
        kept: The one whose weights were kept; number 0 where all were worse than the start.
    """

    metric: str
    epochs: tuple[Epoch, ...]
    kept: Epoch

    def to_json(self) -> dict[str, object]:
        """Return the form in which reports keep it."""
        return {
            "metric": self.metric,
            "kept": asdict(self.kept),
            "epochs": [asdict(epoch) for epoch in self.epochs],
        }

    def curve(self, augment: str, before: float | None = None) -> Curve:
        """Return what the Model keeps of it.

        Args:
            augment: How strongly images were changed.
            before: The metric of the model that it had to come close to.
        """
        points = [CurvePoint(one.number, one.loss or 0.0, one.validation) for one in self.epochs]
        few, kept = thinned(points, self.kept.number), self.kept.number
        return Curve(self.metric, few, len(points), kept, augment, before)

    def then(self, later: History) -> History:
        """Return both as one training, the epochs of the later one numbered on."""
        past = len(self.epochs)
        epochs = tuple(replace(one, number=one.number + past) for one in later.epochs)
        kept = replace(later.kept, number=later.kept.number + past)
        return History(later.metric, (*self.epochs, *epochs), kept)


def fit(
    model: Any,
    info: ModelInfo,
    examples: Examples,
    objective: Objective,
    validation: Measure,
    optimization: Optimization,
    augmentation: Augmentation,
    seed: int,
    layers: Sequence[str] = (),
    floor: float | None = None,
) -> History:
    """Train ``model`` in place and leave it with the weights of its best epoch, or of its last.

    The best is the one with the highest validation metric, the last of equal ones.

    Args:
        model: A ``tf_keras`` model from normalized ``bhwc`` to ``bd``.
        info: How images are normalized.
        examples: What is learned from.
        objective: What is made small.
        validation: What decides on the best.
        optimization: How.
        augmentation: How images are changed.
        seed: Of the order of the images and of how each is changed.
        layers: Names of those whose outputs the objective is told beside the network's own.
        floor: Validation metric, 0 to 1, that a network which worked before is to stay above, see
            ``ruin.floor_of``; None for one that has yet to learn.

    Raises:
        RuinedError: The loss is no longer a finite number; or a quarter of the epochs and more
            have not reached the floor; or what would be kept is below it.
    """
    augmentation = examples.settled(augmentation, info.task, optimization)
    learner = _Learner(model, info, objective, optimization, augmentation, seed, layers)
    outputs = outputs_of(model, info)
    epochs, steps = optimization.epochs, examples.steps(optimization)
    total = steps * epochs
    warmup = int(total * optimization.warmup)
    highest, every = optimization.learning_rate, max(1, epochs // _VALIDATIONS)
    done: list[Epoch] = []
    best, kept, weights = None, None, model.get_weights()
    measured: float | None = None
    tell(epoch=0, total=epochs)
    for number in range(1, epochs + 1):
        loss, rate = 0.0, 0.0
        batches = examples.epoch(number, optimization, flip=augmentation.flip, seed=seed)
        for index, batch in enumerate(batches):
            step = (number - 1) * steps + index
            rate = learning_rate_at(step, total, min(warmup, total - 1), highest)
            loss += learner.learn(batch, rate, step, total) / steps
        if not math.isfinite(loss):
            raise RuinedError(
                number, None, f"training came apart in epoch {number}: the loss is {loss}",
                f"set learning_rate below {highest:g}",
            )  # fmt: skip
        score = None
        if number % every == 0 or number == epochs:
            with learner.averaged():
                score = validation.measure(outputs)
                epoch = Epoch(number, loss, rate, score)
                measured = score
                if best is None or score >= (best.validation or 0.0):
                    best = epoch
                if best is epoch or optimization.keep == "last":
                    kept, weights = epoch, model.get_weights()
        done.append(Epoch(number, loss, rate, score))
        _LOG.info(
            "epoch %d of %d: loss %.4f%s", number, epochs, loss,
            "" if score is None else f", validation {validation.metric} {score:.4f}",
        )  # fmt: skip
        tell(
            epoch=number, total=epochs, loss=loss,
            metric=None if measured is None else validation.metric, value=measured,
        )  # fmt: skip
        judged = kept if number == epochs else best
        if floor is not None and judged and judged.validation is not None:
            refuse_ruin(
                judged.validation, floor, metric=validation.metric, epoch=number, epochs=epochs,
                learning_rate=highest,
            )  # fmt: skip
        patience = optimization.patience
        if best and patience is not None and number - best.number >= patience:
            break
    assert kept is not None, "the last epoch is always measured"
    model.set_weights(weights)
    return History(validation.metric, tuple(done), kept)


class _Learner:
    """The graph of a step with its optimizer and, where asked for, the average of the weights."""

    def __init__(
        self,
        model: Any,
        info: ModelInfo,
        objective: Objective,
        optimization: Optimization,
        augmentation: Augmentation,
        seed: int,
        layers: Sequence[str],
    ) -> None:
        self._model = model
        network = with_features(model, layers)
        self._averages: list[Any] = []
        if optimization.averaging:  # of batch norms' statistics too, which belong to the weights
            self._averages = [tf.Variable(weight, trainable=False) for weight in model.weights]
        variables = [*model.trainable_variables, *objective.variables]
        updates = Updates(
            optimization.optimizer, variables, optimization.weight_decay, optimization.clip_norm
        )

        @tf.function(autograph=False)
        def learn(batch: Mapping[str, Any], learning_rate: Any, step: Any, progress: Any) -> Any:
            noise_seed = tf.stack([tf.constant(seed, tf.int32), tf.cast(step, tf.int32)])
            pixels_bhwc = apply_changes(
                tf.cast(batch[IMAGES], tf.float32), batch[DRAWS], STRENGTHS[augmentation.augment],
                noise_seed,
            )  # fmt: skip
            batch = objective.prepare({**batch, PIXELS: pixels_bhwc}, noise_seed)
            images_bhwc = (batch[PIXELS] - info.input.mean) / info.input.scale
            with tf.GradientTape() as tape:
                outputs = network(images_bhwc, training=True)
                loss = objective(outputs, batch, progress)
            gradients = tape.gradient(
                loss, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO
            )
            updates.apply(gradients, learning_rate, step + 1.0)
            # Young averages follow fast, or they would remember the random start.
            keep = tf.minimum(optimization.averaging, (2.0 + step) / (11.0 + step))
            for average, weight in zip(self._averages, model.weights, strict=False):
                average.assign_sub((1.0 - keep) * (average - weight))
            return loss

        self._learn: Callable[..., Any] = learn

    def learn(
        self, batch: Mapping[str, np.ndarray], learning_rate: float, step: int, steps: int
    ) -> float:
        """Take step number ``step`` of 0 to ``steps`` - 1 and return its loss."""
        return float(
            self._learn(
                {name: tf.constant(value) for name, value in batch.items()},
                tf.constant(learning_rate, tf.float32),
                tf.constant(step, tf.float32),
                tf.constant(step / steps, tf.float32),
            )
        )

    @contextmanager
    def averaged(self) -> Generator[None]:
        """Let the model have the averaged weights for a while."""
        if not self._averages:
            yield
            return
        current = self._model.get_weights()
        self._model.set_weights([average.numpy() for average in self._averages])
        yield
        self._model.set_weights(current)
