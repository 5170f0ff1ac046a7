"""Self-distillation: a compressed network is trained to answer as it did before.

A training that destroys what it began with is begun again (see ``training/restarts.py``).

References:
    Hinton et al., arXiv:1503.02531 (probabilities of a teacher); Park et al., arXiv:1904.05068
    (relations between examples).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from components.artifacts.dataset import Dataset
from components.artifacts.history import Curve
from components.artifacts.model import ModelInfo
from components.contract.errors import UserError
from components.ml.settings import (
    Augmentation,
    LossSettings,
    Optimization,
    TeacherViews,
    TrainingSchedule,
)
from components.ml.techniques.preservation import OutputPreservation
from components.ml.training import loop
from components.ml.training.augmentation import settled_for_answers
from components.ml.training.examples import Examples, examples_of
from components.ml.training.loop import History
from components.ml.training.objectives import supervised
from components.ml.training.outputs import Outputs, outputs_of
from components.ml.training.restarts import RestartedTraining, fit_with_restarts
from components.ml.training.ruin import floor_of
from components.ml.training.teacher import ask_teacher
from components.ml.training.validation import Validation


@dataclass(frozen=True)
class SelfDistillation:
    """How a compressed network is trained.

    Attributes:
        schedule: How long and how fast.
        augmentation: How images are changed.
        teacher_views: What the network is asked about before it is compressed.
        label_weight: Share of the labels in the loss, 0 to 1; the rest is its own answers.
        seed: Of everything random.
    """

    schedule: TrainingSchedule
    augmentation: Augmentation
    teacher_views: TeacherViews
    label_weight: float
    seed: int


@dataclass(frozen=True)
class Recovery:
    """What the training came to.

    Attributes:
        trained: How the epochs went, and whether it was begun again.
        steps_per_epoch: Batches.
        before: Validation of the network before it was compressed, 0 to 1.
        augment: How strongly images were changed.
    """

    trained: RestartedTraining
    steps_per_epoch: int
    before: float
    augment: str

    @property
    def kept_epoch(self) -> int:
        """The epoch whose weights are kept, from 1; 0 where those of before are."""
        return self.trained.history.kept.number

    @property
    def curve(self) -> Curve:
        """What the Model keeps of it."""
        return self.trained.told(self.trained.history.curve(self.augment, self.before))

    def to_json(self) -> dict[str, object]:
        """Return the form in which reports keep it."""
        return {
            "validation_before": self.before,
            "steps_per_epoch": self.steps_per_epoch,
            **self.trained.to_json(),
            "history": self.trained.history.to_json(),
        }


def train(
    network: Any, info: ModelInfo, data: Dataset, before: Any, how: SelfDistillation
) -> Recovery:
    """Train a network in place, constrained or wrapped, to answer as ``before`` does.

    Where that ruins the network, which validation shows, it begins again from the start with a
    tenth of the learning rate, at most twice. The weights before training stay where it makes the
    validation metric lower in every epoch, unless the schedule keeps the last epoch in any case.

    Raises:
        RuinedError: It ruins the network at the lowest of these rates, too, and the last epoch is
            to be kept, or its loss is not finite.
    """
    answers, augmentation = outputs_of(before, info), settled_for_answers(how.augmentation)
    # Labels of verification are learned from comparisons; answers alone need none.
    examples = examples_of(data, turns=augmentation.turns, mirrors=augmentation.mirrors)
    if not how.label_weight:
        examples = replace(examples, compared=False)
    examples = ask_teacher(examples, answers, info, how.teacher_views, augmentation, how.seed)
    validation = Validation(data, info.task)
    optimization = Optimization(**asdict(how.schedule), weight_decay=0.0, warmup=0.0)
    untrained = measured(network, info, validation)

    def fit(how_fast: Optimization, floor: float | None) -> History:
        return loop.fit(
            network, info, examples, _objective(info, examples, how), validation, how_fast,
            augmentation, how.seed, floor=floor,
        )  # fmt: skip

    floor = floor_of(untrained, validation.guessed)
    trained = fit_with_restarts(network, fit, optimization, untrained, floor, never_worse=True)
    steps = examples.steps(trained.optimization)
    return Recovery(trained, steps, validation.measure(answers), augmentation.augment)


def _objective(info: ModelInfo, examples: Examples, how: SelfDistillation) -> OutputPreservation:
    """Return what is learned, with new variables: those of a ruined training are ruined, too."""
    labels = None
    if how.label_weight:
        labels = supervised(
            info.task, LossSettings(), classes=examples.classes, embedding=info.output.size,
            seed=how.seed, labels_n=examples.labels_n,
        )  # fmt: skip
    return OutputPreservation(info.output, labels, how.label_weight)


def measured(network: Any, info: ModelInfo, validation: Validation) -> float:
    """Return the validation metric of a network, 0 to 1."""
    outputs: Outputs = outputs_of(network, info)
    return validation.measure(outputs)


def check(component: str, info: ModelInfo, data: Dataset, path: Path) -> None:
    """Ask that a Model can be trained on a dataset.

    Raises:
        UserError: It cannot.
    """
    if info.task != data.info.task or info.image_shape != data.info.shape:
        raise UserError(
            f"{component}: the model in {path} is for {info.task} of images of {info.image_shape} "
            f"and the dataset for {data.info.task} of {data.info.shape} (height, width, channels)",
            "give the dataset that the model was trained on",
        )


def parameters(how: SelfDistillation) -> Mapping[str, object]:
    """Return what a report says of the training that was asked for."""
    return {
        **asdict(how.schedule), **asdict(how.augmentation), **asdict(how.teacher_views),
        "label_weight": how.label_weight, "seed": how.seed,
    }  # fmt: skip
