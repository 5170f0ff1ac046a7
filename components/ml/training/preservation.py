"""Preserving answers: a network that is compressed learns to answer what it answered before.

Shapes: b images in a batch, d numbers of an output.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.artifacts.model import Embedding, Scores
from components.ml.runtime import tf
from components.ml.training import losses
from components.ml.training.objectives import LABELS, OUTPUT, TEACHER, Supervised
from components.ml.training.teacher import with_mixup

_TEMPERATURE = 2.0
_LEAST = 1e-12
"""Probability below which a softmax says nothing more."""


@dataclass(frozen=True, eq=False)
class OutputPreservation:
    """Answering what the network answered before it was compressed, and what the labels say.

    Attributes:
        output: What the network answers.
        labels: Learning from the labels; None where they are not looked at.
        label_weight: What that weighs, against 1 for the answers.
    """

    output: Embedding | Scores
    labels: Supervised | None = None
    label_weight: float = 0.0

    @property
    def variables(self) -> list[Any]:
        """Those of the loss on labels."""
        return [] if self.labels is None else self.labels.variables

    def prepare(self, batch: Mapping[str, Any], seed: Any) -> Mapping[str, Any]:
        """Return the batch with the mixed images that the network was asked about."""
        del seed
        return with_mixup(batch)

    def __call__(self, outputs: Mapping[str, Any], batch: Mapping[str, Any], progress: Any) -> Any:
        """Return the loss: of directions and distances of embeddings, or of probabilities."""
        answers_bd = self._learnable(outputs[OUTPUT])
        loss = self._kept(answers_bd, batch[TEACHER])
        if self.labels is not None:
            labelled_bd = answers_bd[: batch[LABELS].shape[0]]  # mixed images have none
            loss += self.label_weight * self.labels.on(labelled_bd, batch, progress)
        return loss

    def _kept(self, answers_bd: Any, before_bd: Any) -> Any:
        if isinstance(self.output, Embedding):
            matching = losses.embedding_matching(answers_bd, before_bd)
            return matching + losses.relational_matching(answers_bd, before_bd)
        if self.output.activation == "sigmoid":
            return losses.soft_scores(answers_bd, before_bd, _TEMPERATURE)
        return losses.soft_labels(answers_bd, before_bd, _TEMPERATURE)

    def _learnable(self, outputs_bd: Any) -> Any:
        """Return embeddings as they are, and scores as what goes into their activation."""
        activation = self.output.activation if isinstance(self.output, Scores) else "none"
        if activation == "sigmoid":
            return losses.logits_of_sigmoid(outputs_bd)
        if activation == "softmax":
            return tf.math.log(tf.maximum(outputs_bd, _LEAST))
        return outputs_bd
