"""Objectives: a loss with the weights of its own that training needs and deployment does not.

Shapes: b images in the batch, d numbers of an output, k classes or identities, t numbers in a
teacher's embedding, n images of the training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from components.contract.errors import UserError
from components.contract.types import Task
from components.ml.runtime import tf
from components.ml.settings import Loss, LossSettings
from components.ml.training import losses
from components.ml.training.losses import MARGINS

OUTPUT = "output"
"""What the network itself answers, among the outputs that an objective is given."""
FEATURES = "features"
"""The outputs of layers that the objective asked for, by their names."""

PIXELS = "pixels"
LABELS = "labels"
TEACHER = "teacher"
_RAMP = (0.15, 0.45)
"""Progress at which the margin of ``cosine_softmax`` begins to rise and is all there."""


class Objective(Protocol):
    """What training makes small."""

    @property
    def variables(self) -> list[Any]:
        """Weights that are trained beside the network's."""
        ...

    def prepare(self, batch: Mapping[str, Any], seed: Any) -> Mapping[str, Any]:
        """Return the batch as the network is to see it; in a graph.

        Args:
            batch: ``PIXELS`` (0 to 255, augmented), ``LABELS`` (indices, of the first images) and,
                when a teacher is asked, ``TEACHER`` (its outputs, for all images).
            seed: Two integers.
        """
        ...

    def __call__(self, outputs: Mapping[str, Any], batch: Mapping[str, Any], progress: Any) -> Any:
        """Return the loss of a batch, a scalar; in a graph.

        Args:
            outputs: ``OUTPUT``, ``bd``, of the network; and ``FEATURES``, by name ``bhwc``, of the
                layers that ``loop.fit`` was asked to tell of.
            batch: As ``prepare`` returned it.
            progress: Share of the training that is done, 0 to 1.
        """
        ...


@dataclass(frozen=True, eq=False)
class Supervised:
    """Learning from labels.

    Attributes:
        loss: Which.
        margin: See the loss.
        scale: Of ``cosine_softmax``.
        label_smoothing: Of the two with a softmax.
        contrast_weight: Of ``losses.supervised_contrastive``, added to the loss.
        head_kd: Directions or weights of the classes, where the network has no such layer.
        weights_k: What an image of each class weighs, 1 on average; None: all the same.
    """

    loss: Loss
    margin: float
    scale: float
    label_smoothing: float
    contrast_weight: float
    head_kd: Any | None
    weights_k: Any | None = None

    @property
    def variables(self) -> list[Any]:
        """The directions of the identities, which are thrown away when training ends."""
        return [] if self.head_kd is None else [self.head_kd]

    def prepare(self, batch: Mapping[str, Any], seed: Any) -> Mapping[str, Any]:
        """Return the batch as it is."""
        del seed
        return batch

    def __call__(self, outputs: Mapping[str, Any], batch: Mapping[str, Any], progress: Any) -> Any:
        """Return the loss."""
        return self.on(outputs[OUTPUT], batch, progress)

    def on(self, outputs_bd: Any, batch: Mapping[str, Any], progress: Any) -> Any:
        """Return the loss of outputs of the images that have labels."""
        loss = self._loss(outputs_bd, batch[LABELS], progress)
        if self.contrast_weight:
            contrast = losses.supervised_contrastive(outputs_bd, batch[LABELS])
            loss += self.contrast_weight * contrast
        return loss

    def weights_of(self, labels_b: Any, images: int) -> Any | None:
        """Return what each image of a batch weighs; in a graph.

        Args:
            labels_b: Of the first images; those behind them have none, and weigh 1.
            images: How many the batch has.
        """
        if self.weights_k is None:
            return None
        weights_b = tf.gather(self.weights_k, labels_b)
        return tf.pad(weights_b, [[0, images - labels_b.shape[0]]], constant_values=1.0)

    def _loss(self, outputs_bd: Any, labels_b: Any, progress: Any) -> Any:
        if self.loss == "contrastive":
            return losses.contrastive(outputs_bd, labels_b, self.margin)
        if self.loss == "triplet":
            return losses.triplet(outputs_bd, labels_b, self.margin)
        if self.loss == "cosine_softmax":
            # A margin that is there from the first step keeps learning from starting at all.
            begin, full = _RAMP
            ramp = tf.clip_by_value((progress - begin) / (full - begin), 0.0, 1.0)
            return losses.cosine_softmax(
                outputs_bd, labels_b, self.head_kd,
                scale=self.scale, margin=self.margin * ramp, label_smoothing=self.label_smoothing,
            )  # fmt: skip
        logits_bk = outputs_bd
        if self.head_kd is not None:
            logits_bk = tf.matmul(outputs_bd, self.head_kd, transpose_b=True)
        return losses.cross_entropy(
            logits_bk, labels_b, label_smoothing=self.label_smoothing,
            weights_b=self.weights_of(labels_b, labels_b.shape[0]),
        )  # fmt: skip


def supervised(
    task: Task,
    settings: LossSettings,
    *,
    classes: int,
    embedding: int,
    seed: int,
    labels_n: np.ndarray | None = None,
) -> Supervised:
    """Return the objective of a task.

    Args:
        task: verification or classification.
        settings: Which loss, and its parameters.
        classes: How many labels there are to learn from.
        embedding: Numbers in the embedding; unused for classification.
        seed: Where the directions of the identities start.
        labels_n: Of all training images; where classes are to weigh the same.

    Raises:
        UserError: A loss that compares images, for a classifier; or weights of classes without
            classes.
    """
    usual: Loss = "cosine_softmax" if task == "verification" else "cross_entropy"
    loss = settings.loss or usual
    head_kd = None
    if task == "classification" and loss != "cross_entropy":
        raise UserError(
            f"loss {loss} compares images with each other, and the task is classification",
            "set loss: cross_entropy, or leave it away",
        )
    if task == "verification" and settings.class_weight != "none":
        raise UserError(
            f"class_weight {settings.class_weight} is for classification, and the task is "
            "verification, where all identities occur equally often in training",
            "leave class_weight away",
        )
    if task == "verification" and loss in ("cosine_softmax", "cross_entropy"):
        start_kd = tf.random.stateless_normal((classes, embedding), seed=(seed, classes))
        head_kd = tf.Variable(start_kd / embedding**0.5, name="identities")
    return Supervised(
        loss=loss,
        margin=MARGINS[loss] if settings.margin is None else settings.margin,
        scale=settings.scale_of_cosines,
        label_smoothing=settings.label_smoothing,
        contrast_weight=settings.contrast_weight if task == "verification" else 0.0,
        head_kd=head_kd,
        weights_k=None if settings.class_weight == "none" else _balanced(labels_n, classes),
    )


def _balanced(labels_n: np.ndarray | None, classes: int) -> Any:
    """Return weights of classes that make all weigh the same, and an image 1 on average."""
    assert labels_n is not None, "weights follow from the labels"
    counts_k = np.bincount(labels_n, minlength=classes)
    present = np.count_nonzero(counts_k)
    return tf.constant(len(labels_n) / (present * np.maximum(counts_k, 1)), tf.float32)
