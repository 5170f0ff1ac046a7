"""Training candidates: all alike, from the same start, for so many steps.

Shapes: n images.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path

import numpy as np

from components.artifacts.dataset import Dataset
from components.artifacts.model import ModelInfo
from components.artifacts.search_front import TrainedFor
from components.contract.errors import UserError
from components.contract.progress import telling
from components.ml.networks.building import build, info_of
from components.ml.runtime import tf_keras
from components.ml.settings import Augmentation, LossSettings, Optimization, TeacherViews
from components.ml.techniques.distillation import distillation_objective, student_info
from components.ml.techniques.distillation_settings import DistillationSettings
from components.ml.techniques.search_settings import SearchTraining
from components.ml.techniques.searched_networks import CountedNetwork
from components.ml.techniques.targets import targets_of
from components.ml.training import loop
from components.ml.training.augmentation import settled_for_answers
from components.ml.training.examples import Examples, examples_of
from components.ml.training.labels import label_objective
from components.ml.training.objectives import Objective
from components.ml.training.ruin import RuinedError
from components.ml.training.validation import Validation

_NORMALIZATION = 127.5
"""Mean and scale of the pixels where no teacher says another one."""


@dataclass(frozen=True, eq=False)
class ShortEpochs(Examples):
    """Examples of which an epoch shows no more than so many batches.

    Attributes:
        most: Batches of an epoch, at most.
    """

    most: int = 1

    def steps(self, optimization: Optimization) -> int:
        """See ``Examples``."""
        return min(self.most, super().steps(optimization))

    def epoch(
        self, number: int, optimization: Optimization, *, flip: bool, seed: int
    ) -> Iterator[dict[str, np.ndarray]]:
        """See ``Examples``."""
        batches = super().epoch(number, optimization, flip=flip, seed=seed)
        return islice(batches, self.steps(optimization))


class CandidateTraining:
    """Trains candidates as ``distill`` trains students, or on labels where there is no teacher.

    Args:
        dataset: The dataset; train and validation are read.
        teacher: Its Model, or None.
        settings: What is learned of the teacher.
        views: What it is asked about.
        loss: What is learned of the labels.
        augmentation: How images are changed.
        training: How.
        seed: Of everything random.

    Raises:
        UserError: A teacher that does not fit, or hints of its layers, which other networks than
            the one that is trained in the end would take from other places.
    """

    def __init__(
        self,
        dataset: Path,
        teacher: Path | None,
        *,
        settings: DistillationSettings,
        views: TeacherViews,
        loss: LossSettings,
        augmentation: Augmentation,
        training: SearchTraining,
        seed: int,
    ) -> None:
        if settings.features:
            raise UserError(
                "search: hints and attention are taken from layers, and every architecture has "
                "others",
                "set hint_weight: 0 and attention_weight: 0 under search; distill may have them",
            )
        self.data, self._teacher = Dataset.open(dataset), teacher
        self._loss, self._training = loss, training
        self._augmentation = settled_for_answers(augmentation) if teacher else augmentation
        self._seed, self.validation = seed, Validation(self.data, self.data.info.task)
        self._settings = settings.of(self.data.info.task)
        self.reference: float | None = None
        self._teacher_info = None if teacher is None else ModelInfo.read(teacher)
        self._examples = examples_of(self.data, turns=augmentation.turns)
        if teacher is not None:
            student_info(teacher, self.data, None)  # refuses a teacher of something else
            targets = targets_of(
                teacher, self._examples, self.data, None, self._settings, views,
                self._augmentation, seed,
            )  # fmt: skip
            self._examples = targets.examples
            self.reference = targets.measure(self.validation)

    def info(self, embedding: int | None) -> ModelInfo:
        """Return the info of a candidate.

        Args:
            embedding: Numbers in its embedding; None for classification.
        """
        if self._teacher is not None:
            return student_info(self._teacher, self.data, embedding)
        return info_of(self.data, embedding or 1, _NORMALIZATION, _NORMALIZATION)

    def trained(self, one: CountedNetwork, steps: int) -> TrainedFor:
        """Train a candidate from the start and measure it at the end.

        Args:
            one: What to train.
            steps: Length of the training, count; as near as whole epochs come to it.
        """
        # Nothing of the candidates before is left, so each starts where it would start alone.
        tf_keras.backend.clear_session()
        tf_keras.utils.set_random_seed(self._seed)
        model = build(one.network, one.info)
        values = {field.name: getattr(self._examples, field.name) for field in fields(Examples)}
        examples = ShortEpochs(**values, most=steps)
        optimization = self._training.optimization(1)
        optimization = self._training.optimization(
            max(1, round(steps / examples.steps(optimization)))
        )
        try:
            with telling(None):  # epochs of one candidate would hide how many there are
                history = loop.fit(
                    model, one.info, examples, self._objective(one.info), self.validation,
                    optimization, examples.settled(self._augmentation, one.info.task, optimization),
                    self._seed,
                )  # fmt: skip
        except RuinedError as error:  # which says something of it, and is no fault of the user's
            return TrainedFor(steps, 0.0, error.what)
        score = history.kept.validation
        assert score is not None, "the last epoch is always measured"
        return TrainedFor(steps, score)

    def _objective(self, info: ModelInfo) -> Objective:
        labels = label_objective(info, self._examples, self._loss, self._seed)
        if self._teacher_info is None:
            return labels
        return distillation_objective(
            info, self._teacher_info, labels, self._settings, None, self._seed
        )
