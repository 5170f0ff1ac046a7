"""What a network learns while its weights are pruned: answers, and labels beside them.

Shapes: b images in a batch, d numbers of an output.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.artifacts import answers as stored_answers
from components.artifacts.dataset import Dataset
from components.artifacts.model import Embedding, ModelInfo, Scores
from components.contract.errors import UserError
from components.ml.runtime import tf
from components.ml.settings import Augmentation, LossSettings, TeacherViews
from components.ml.techniques.weight_pruning_settings import WeightPruningSettings
from components.ml.training import losses
from components.ml.training.examples import Examples
from components.ml.training.folder_outputs import outputs_of_folder
from components.ml.training.labels import label_objective
from components.ml.training.objectives import LABELS, OUTPUT, TEACHER, Supervised
from components.ml.training.outputs import Outputs
from components.ml.training.teacher import ask_teacher, with_answers, with_mixup

_TEMPERATURE = 2.0
_LEAST = 1e-12
"""Probability below which a softmax says nothing more."""


@dataclass(frozen=True, eq=False)
class OutputPreservation:
    """Answering what the network, or its teacher, answered before weights were pruned.

    Attributes:
        output: What the network answers.
        labels: Learning from labels; None: not at all.
        label_weight: Its share, 0 to 1.
    """

    output: Embedding | Scores
    labels: Supervised | None = None
    label_weight: float = 0.0

    @property
    def variables(self) -> list[Any]:
        """Those of the labels."""
        return self.labels.variables if self.labels else []

    def prepare(self, batch: Mapping[str, Any], seed: Any) -> Mapping[str, Any]:
        """Return the batch with the mixed images that were asked about."""
        del seed
        return with_mixup(batch)

    def __call__(self, outputs: Mapping[str, Any], batch: Mapping[str, Any], progress: Any) -> Any:
        """Return the loss: the weighted sum of both."""
        outputs_bd = outputs[OUTPUT]
        loss = tf.constant(0.0)
        if self.label_weight < 1:
            loss += (1.0 - self.label_weight) * self._of_answers(outputs_bd, batch[TEACHER])
        if self.labels:
            labelled_bd = self._logits(outputs_bd)[: batch[LABELS].shape[0]]
            loss += self.label_weight * self.labels.on(labelled_bd, batch, progress)
        return loss

    def _of_answers(self, outputs_bd: Any, before_bt: Any) -> Any:
        """Return the loss: of directions and distances of embeddings, or of probabilities."""
        if isinstance(self.output, Embedding):
            relations = losses.relational_matching(outputs_bd, before_bt)
            if outputs_bd.shape[1] != before_bt.shape[1]:  # a teacher's of another size
                return relations + losses.similarity_matching(outputs_bd, before_bt)
            return losses.embedding_matching(outputs_bd, before_bt) + relations
        logits_bd = self._logits(outputs_bd)
        if self.output.activation == "sigmoid":
            return losses.soft_scores(logits_bd, before_bt, _TEMPERATURE)
        return losses.soft_labels(logits_bd, before_bt, _TEMPERATURE)

    def _logits(self, outputs_bd: Any) -> Any:
        if isinstance(self.output, Scores) and self.output.activation == "sigmoid":
            return losses.logits_of_sigmoid(outputs_bd)
        if isinstance(self.output, Scores) and self.output.activation == "softmax":
            return tf.math.log(tf.maximum(outputs_bd, _LEAST))
        return outputs_bd


def objective_of(
    info: ModelInfo, examples: Examples, settings: WeightPruningSettings, seed: int
) -> OutputPreservation:
    """Return what is learned: answers, and labels where they weigh something."""
    weight = settings.label_weight or 0.0
    if not weight:
        return OutputPreservation(info.output)
    if isinstance(info.output, Scores) and info.output.activation in ("sigmoid", "other"):
        raise UserError(
            f"prune: labels are learned by a softmax, and the model's scores are of the kind "
            f"{info.output.activation}",
            "write label_weight: 0",
        )
    labels = label_objective(info, examples, LossSettings(), seed)
    return OutputPreservation(info.output, labels, weight)


def examples_with_answers(
    examples: Examples, own: Outputs, info: ModelInfo, data: Dataset, teacher: Path | None,
    settings: WeightPruningSettings, views: TeacherViews, augmentation: Augmentation, seed: int,
) -> Examples:  # fmt: skip
    """Return the examples with the answers that are learned."""
    if settings.label_weight == 1:
        return examples
    if settings.answers_of == "model" or teacher is None:
        return ask_teacher(examples, own, info, views, augmentation, seed)
    theirs = ModelInfo.read(teacher)
    known_nt = stored_answers.stored(teacher, "train")
    if known_nt is not None:
        return with_answers(examples, known_nt, theirs, views, augmentation, seed)
    outputs = outputs_of_folder(teacher, theirs, data.info.shape)
    return ask_teacher(examples, outputs, theirs, views, augmentation, seed)
