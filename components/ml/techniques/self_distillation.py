"""Self-distillation: a compressed network is trained to answer as it did before.

A learning rate that suits one network ruins another (see ``training/ruin.py``). A training that
destroys what it began with is therefore begun again at a tenth of the rate.

References:
    Hinton et al., arXiv:1503.02531 (probabilities of a teacher); Park et al., arXiv:1904.05068
    (relations between examples).
"""

from __future__ import annotations

import logging
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
from components.ml.training.loop import Epoch, History
from components.ml.training.objectives import supervised
from components.ml.training.outputs import Outputs, outputs_of
from components.ml.training.ruin import RuinedError, floor_of
from components.ml.training.teacher import ask_teacher
from components.ml.training.validation import Validation

_RESTARTS = 2
_SLOWER = 0.1
"""How often a training that ruins its network begins again; each time at this share of the rate."""

_LOG = logging.getLogger(__name__)


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
class RuinedTraining:
    """A training that was given up because it ruined the network.

    Attributes:
        learning_rate: Its peak.
        epochs: That were run, count.
        validation: The best metric after one of them, 0 to 1; None where the loss was not finite.
    """

    learning_rate: float
    epochs: int
    validation: float | None


@dataclass(frozen=True)
class Recovery:
    """What the training came to.

    Attributes:
        history: Of the epochs.
        steps_per_epoch: Batches.
        before: Validation of the network before it was compressed, 0 to 1.
        untrained: Of the compressed network before it was trained.
        augment: How strongly images were changed.
        learning_rate: Its peak: the one that was asked for, or a lower one.
        ruined: Trainings before it, at higher rates, from which nothing was kept.
    """

    history: History
    steps_per_epoch: int
    before: float
    untrained: float
    augment: str
    learning_rate: float
    ruined: tuple[RuinedTraining, ...] = ()

    @property
    def curve(self) -> Curve:
        """What the Model keeps of it."""
        curve = self.history.curve(self.augment, self.before)
        return replace(curve, lowered_to=self.learning_rate) if self.ruined else curve

    def to_json(self) -> dict[str, object]:
        """Return the form in which reports keep it."""
        return {
            "validation_before": self.before,
            "validation_untrained": self.untrained,
            "steps_per_epoch": self.steps_per_epoch,
            "learning_rate": self.learning_rate,
            "ruined": [asdict(one) for one in self.ruined],
            "history": self.history.to_json(),
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
    untrained, start = measured(network, info, validation), network.get_weights()
    ruined: list[RuinedTraining] = []
    while True:
        last = len(ruined) == _RESTARTS
        # After the last attempt the start is there to be kept, but where the last epoch has to be.
        judged = not last or optimization.keep == "last"
        floor = floor_of(untrained, validation.guessed) if judged else None
        try:
            history = loop.fit(
                network, info, examples, _objective(info, examples, how), validation,
                optimization, augmentation, how.seed, floor=floor,
            )  # fmt: skip
            break
        except RuinedError as ruin:
            if last:
                raise
            rate = optimization.learning_rate
            ruined.append(RuinedTraining(rate, ruin.epoch, ruin.validation))
            optimization = replace(optimization, learning_rate=rate * _SLOWER)
            network.set_weights(start)
            _LOG.warning(
                "%s; it was %.4f before; begun again with learning_rate %g in place of %g",
                ruin.what, untrained, optimization.learning_rate, rate,
            )  # fmt: skip
    if optimization.keep == "best" and (history.kept.validation or 0.0) < untrained:
        # What is compressed worked before; training that only harms it helps nobody.
        network.set_weights(start)
        _LOG.warning(
            "training made it worse in every epoch: %s %.4f at best, %.4f before; the weights of "
            "before are kept; try a learning_rate below %g",
            history.metric, history.kept.validation or 0.0, untrained, optimization.learning_rate,
        )  # fmt: skip
        history = replace(history, kept=Epoch(0, None, 0.0, untrained))
    return Recovery(
        history, examples.steps(optimization), validation.measure(answers), untrained,
        augmentation.augment, optimization.learning_rate, tuple(ruined),
    )  # fmt: skip


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
