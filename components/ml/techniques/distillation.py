"""Distillation: a small network learns what a large one answers.

Shapes: b images in a batch, d numbers of the student's output, t of the teacher's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from components.artifacts.dataset import Dataset
from components.artifacts.model import Embedding, ModelInfo, Scores
from components.contract.errors import UserError
from components.contract.types import Task
from components.ml.formats import model_folder, samples
from components.ml.networks.building import build, info_of, network_in_step
from components.ml.runtime import tf
from components.ml.settings import (
    Augmentation,
    LossSettings,
    Network,
    Optimization,
    TeacherViews,
)
from components.ml.techniques.distillation_settings import DistillationSettings
from components.ml.techniques.feature_matching import FeatureMatching
from components.ml.techniques.targets import targets_of
from components.ml.training import loop, losses
from components.ml.training.augmentation import settled_for_answers
from components.ml.training.examples import examples_of
from components.ml.training.labels import fit_and_write, label_objective
from components.ml.training.objectives import FEATURES, LABELS, OUTPUT, TEACHER, Supervised
from components.ml.training.reporting import write_report
from components.ml.training.teacher import with_mixup
from components.ml.training.validation import Validation


@dataclass(frozen=True, eq=False)
class DistillationObjective:
    """Learning from a teacher and from labels.

    Attributes:
        scores: Whether outputs are scores, and not embeddings.
        labels: Learning from labels.
        settings: How much each kind of answer weighs.
        projection_dt: From the student's embedding to the teacher's where their sizes differ.
        features: What is learned from inside the teacher; None where nothing is.
    """

    scores: bool
    labels: Supervised
    settings: DistillationSettings
    projection_dt: Any | None
    features: FeatureMatching | None = None

    @property
    def variables(self) -> list[Any]:
        """What is thrown away when training ends."""
        extra = [] if self.projection_dt is None else [self.projection_dt]
        labels = self.labels.variables if self.learns_labels else ()
        return [*labels, *extra, *(self.features.map_of_hints if self.features else ())]

    @property
    def learns_labels(self) -> bool:
        """Whether labels weigh anything."""
        return self.scores or self.settings.label_weight > 0

    def prepare(self, batch: Mapping[str, Any], seed: Any) -> Mapping[str, Any]:
        """Return the batch with the mixed images that the teacher was asked about."""
        del seed
        return with_mixup(batch)

    def __call__(self, outputs: Mapping[str, Any], batch: Mapping[str, Any], progress: Any) -> Any:
        """Return the loss: the weighted sum of all that is learned."""
        outputs_bd, teacher_bt, settings = outputs[OUTPUT], batch[TEACHER], self.settings
        loss = self._of_answers(outputs_bd, batch, progress)
        if settings.relational_weight:
            relations = losses.relational_matching(outputs_bd, teacher_bt)
            loss += settings.relational_weight * relations
        if settings.similarity_weight:
            similarity = losses.similarity_matching(outputs_bd, teacher_bt)
            loss += settings.similarity_weight * similarity
        if settings.distribution_weight and not self.scores:
            distribution = losses.distribution_matching(
                outputs_bd, teacher_bt, settings.distribution_temperature
            )
            loss += settings.distribution_weight * distribution
        if self.features:
            loss += self.features(outputs[FEATURES], batch)
        return loss

    def _of_answers(self, outputs_bd: Any, batch: Mapping[str, Any], progress: Any) -> Any:
        """Return the loss of each image by itself: on its label and on the teacher's answer."""
        teacher_bt, settings = batch[TEACHER], self.settings
        labelled_bd = outputs_bd[: batch[LABELS].shape[0]]  # mixed images have none
        hard = self.labels.on(labelled_bd, batch, progress) if self.learns_labels else 0.0
        if self.scores:
            weights_b = self.labels.weights_of(batch[LABELS], outputs_bd.shape[0])
            soft = losses.soft_labels(outputs_bd, teacher_bt, settings.temperature, weights_b)
            return settings.soft_weight * soft + (1.0 - settings.soft_weight) * hard
        loss = settings.label_weight * hard
        if settings.embedding_weight:
            mapped_bt = outputs_bd
            if self.projection_dt is not None:
                mapped_bt = tf.matmul(outputs_bd, self.projection_dt)
            matching = losses.embedding_matching(mapped_bt, teacher_bt)
            loss += settings.embedding_weight * matching
        return loss


def distillation_objective(
    info: ModelInfo,
    teacher: ModelInfo,
    labels: Supervised,
    settings: DistillationSettings,
    features: FeatureMatching | None,
    seed: int,
) -> DistillationObjective:
    """Return the objective of a student.

    Args:
        info: Of the student.
        teacher: Of its teacher.
        labels: Learning from labels.
        settings: How much each kind of answer weighs.
        features: What is learned from inside the teacher; None where nothing is.
        seed: Where the projection to the teacher's embedding starts, if there is one.
    """
    return DistillationObjective(
        isinstance(info.output, Scores),
        labels,
        settings,
        _projection(info, teacher, seed),
        features,
    )


def train_student(
    dataset: Path,
    teacher: Path,
    path: Path,
    report: Path,
    *,
    network: Network,
    architecture: str | None = None,
    embedding: int | None,
    settings: DistillationSettings,
    teacher_views: TeacherViews,
    loss: LossSettings,
    augmentation: Augmentation,
    optimization: Optimization,
    seed: int,
) -> None:
    """Train a student and write it; see ``components.distill``."""
    data = Dataset.open(dataset)
    teacher_info, info = ModelInfo.read(teacher), student_info(teacher, data, embedding)
    settings = _settled(settings, info.task)
    model = build(network, info)  # before the teacher, whose building would draw from the seed too
    augmentation = settled_for_answers(augmentation)
    examples = examples_of(data, turns=augmentation.turns, mirrors=augmentation.mirrors)
    targets = targets_of(
        teacher, examples, data, model, settings, teacher_views, augmentation, seed
    )
    examples = targets.examples
    labels = label_objective(info, examples, loss, seed)
    objective = distillation_objective(info, teacher_info, labels, settings, targets.features, seed)
    validation = Validation(data, info.task)
    history = loop.fit(
        model, info, examples, objective, validation, optimization, augmentation, seed,
        targets.features.pairing.student_layers if targets.features else (),
    )  # fmt: skip
    step = {
        "component": "distill",
        **network_in_step(network, architecture),
        "loss": labels.loss,
        "epochs": history.kept.number,
    }
    made = info.on_top_of(teacher_info).after(step, curve=history.curve(augmentation.augment))
    model_folder.save(path, model, made)
    samples.draw(path, data, seed)
    parameters = {
        **asdict(network),
        **asdict(loss),
        **asdict(settings),
        **asdict(teacher_views),
        **asdict(augmentation),
        **asdict(optimization),
        "seed": seed,
    }
    told = {"validation": targets.measure(validation), **targets.told}
    found = {} if architecture is None else {"architecture": architecture}
    write_report(
        report, "distill", history, examples, optimization,
        {"parameters": parameters, "teacher": told, **found},
    )  # fmt: skip


def train_control(
    dataset: Path,
    teacher: Path,
    path: Path,
    report: Path,
    *,
    network: Network,
    architecture: str | None = None,
    embedding: int | None,
    loss: LossSettings,
    augmentation: Augmentation,
    optimization: Optimization,
    seed: int,
) -> None:
    """Train what a student would be without its teacher, on labels alone, and write it."""
    data = Dataset.open(dataset)
    info = student_info(teacher, data, embedding)
    examples, model = (
        examples_of(data, turns=augmentation.turns, mirrors=augmentation.mirrors),
        build(network, info),
    )
    augmentation = examples.settled(augmentation, info.task, optimization)
    labels = label_objective(info, examples, loss, seed)
    fit_and_write(
        model,
        info,
        data,
        examples,
        labels,
        path,
        report,
        network=network,
        loss=loss,
        chosen_loss=labels.loss,
        augmentation=augmentation,
        optimization=optimization,
        seed=seed,
        settings={},
        notes={} if architecture is None else {"architecture": architecture},
    )


def student_info(teacher: Path, data: Dataset, embedding: int | None) -> ModelInfo:
    """Return the info of a student: it is fed as its teacher is, with images of the dataset's size.

    Args:
        teacher: Its Model.
        data: What both are to be used on.
        embedding: Numbers in the student's embedding; None takes the teacher's.

    Raises:
        UserError: The teacher is for another task, other channels or other classes.
    """
    info = ModelInfo.read(teacher)
    _check(info, data)
    return info_of(data, embedding or info.output.size, info.input.mean, info.input.scale)


def _settled(settings: DistillationSettings, task: Task) -> DistillationSettings:
    """Return settings with what the task decides; some weight has to be above 0."""
    settings = settings.of(task)
    if not settings.learns_something(task):
        raise UserError(
            "label_weight is 0, and so is the weight of everything that could be learned of the "
            "teacher",
            "set distribution_weight: 1, or label_weight above 0",
        )
    return settings


def _check(teacher: ModelInfo, data: Dataset) -> None:
    if teacher.task != data.info.task:
        raise UserError(
            f"the teacher is for {teacher.task} and the dataset for {data.info.task}",
            "give a teacher that was made for this task",
        )
    if teacher.input.channels != data.info.shape[2]:
        raise UserError(
            f"the teacher takes images of {teacher.image_shape} and the dataset has "
            f"{data.info.shape} (height, width, channels)",
            f"set channels: {teacher.input.channels} under image:",
        )
    if isinstance(teacher.output, Scores) and teacher.output.classes != data.info.classes:
        raise UserError(
            f"the teacher knows the classes {', '.join(teacher.output.classes)} and the dataset "
            f"has {', '.join(data.info.classes)}",
            "train the teacher on this dataset",
        )


def _projection(info: ModelInfo, teacher: ModelInfo, seed: int) -> Any | None:
    """Return what maps the student's embedding to the teacher's, where their sizes differ."""
    size, wanted = info.output.size, teacher.output.size
    if not isinstance(info.output, Embedding) or size == wanted:
        return None
    start_dt = tf.random.stateless_normal((size, wanted), seed=(seed, wanted))
    return tf.Variable(start_dt / size**0.5, name="projection")
