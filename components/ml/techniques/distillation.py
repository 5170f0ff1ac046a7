"""Distillation: a small network learns what a large one answers.

Shapes: b images in a batch, d numbers of the student's output, t of the teacher's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from components.artifacts import answers
from components.artifacts.dataset import Dataset
from components.artifacts.model import Embedding, ModelInfo, Scores
from components.contract.errors import UserError
from components.ml.formats import model_folder
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
from components.ml.training import loop, losses
from components.ml.training.examples import Examples, examples_of
from components.ml.training.objectives import LABELS, TEACHER, Supervised, supervised
from components.ml.training.outputs import outputs_of_folder
from components.ml.training.reporting import write_report
from components.ml.training.teacher import ask_teacher, with_answers, with_mixup
from components.ml.training.validation import SPLIT, Validation


@dataclass(frozen=True, eq=False)
class DistillationObjective:
    """Learning from a teacher and from labels.

    Attributes:
        scores: Whether outputs are scores, and not embeddings.
        labels: Learning from labels.
        settings: How much each kind of answer weighs.
        projection_dt: From the student's embedding to the teacher's where their sizes differ.
    """

    scores: bool
    labels: Supervised
    settings: DistillationSettings
    projection_dt: Any | None

    @property
    def variables(self) -> list[Any]:
        """What is thrown away when training ends."""
        extra = [] if self.projection_dt is None else [self.projection_dt]
        return [*self.labels.variables, *extra]

    def prepare(self, batch: Mapping[str, Any], seed: Any) -> Mapping[str, Any]:
        """Return the batch with the mixed images that the teacher was asked about."""
        del seed
        return with_mixup(batch)

    def __call__(self, outputs_bd: Any, batch: Mapping[str, Any], progress: Any) -> Any:
        """Return the loss."""
        teacher_bt, settings = batch[TEACHER], self.settings
        labelled_bd = outputs_bd[: batch[LABELS].shape[0]]  # mixed images have none
        hard = self.labels(labelled_bd, batch, progress)
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
        if settings.relational_weight:
            relations = losses.relational_matching(outputs_bd, teacher_bt)
            loss += settings.relational_weight * relations
        if settings.similarity_weight:
            similarity = losses.similarity_matching(outputs_bd, teacher_bt)
            loss += settings.similarity_weight * similarity
        return loss


def train_student(
    dataset: Path,
    teacher: Path,
    path: Path,
    report: Path,
    *,
    network: Network,
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
    teacher_info = ModelInfo.read(teacher)
    _check(teacher_info, data)
    size = embedding or teacher_info.output.size
    info = info_of(data, size, teacher_info.input.mean, teacher_info.input.scale)
    model = build(network, info)  # before the teacher, whose building would draw from the seed too
    examples, teacher_metric = _with_outputs(
        teacher, teacher_info, data, teacher_views, augmentation, seed
    )
    labels = supervised(
        info.task,
        loss,
        classes=examples.classes,
        embedding=info.output.size,
        seed=seed,
        labels_n=examples.labels_n,
    )
    projection_dt = _projection(info, teacher_info, seed)
    scores = isinstance(info.output, Scores)
    objective = DistillationObjective(scores, labels, settings, projection_dt)
    validation = Validation(data, info.task)
    history = loop.fit(
        model, info, examples, objective, validation, optimization, augmentation, seed
    )
    step = {
        "component": "distill",
        **network_in_step(network),
        "loss": labels.loss,
        "epochs": history.kept.number,
    }
    model_folder.save(path, model, replace(info, steps=teacher_info.steps).after(step))
    parameters = {
        **asdict(network),
        **asdict(loss),
        **asdict(settings),
        **asdict(teacher_views),
        **asdict(augmentation),
        **asdict(optimization),
        "seed": seed,
    }
    write_report(
        report, "distill", history, examples, optimization,
        {"parameters": parameters, "teacher": {"validation": teacher_metric(validation)}},
    )  # fmt: skip


def _with_outputs(
    teacher: Path,
    info: ModelInfo,
    data: Dataset,
    views: TeacherViews,
    augmentation: Augmentation,
    seed: int,
) -> tuple[Examples, Callable[[Validation], float]]:
    """Return the examples with the teacher's answers, and how it is measured on validation."""
    examples = examples_of(data, turns=augmentation.turns)
    known_nt, validated_nt = (answers.stored(teacher, split) for split in ("train", SPLIT))
    if known_nt is None or validated_nt is None:
        asked = outputs_of_folder(teacher, info)
        learned = ask_teacher(examples, asked, info, views, augmentation, seed)
        return learned, lambda validation: validation.measure(asked)
    if augmentation.turns:
        raise UserError(
            "turns: the teacher is known by its answers to images as they are, and cannot be asked "
            "about turned ones",
            "leave turns away, or give the teacher as a model",
        )
    learned = with_answers(examples, known_nt, info, views, augmentation, seed)
    return learned, lambda validation: validation.measure_answers(validated_nt)


def _check(teacher: ModelInfo, data: Dataset) -> None:
    if teacher.task != data.info.task:
        raise UserError(
            f"the teacher is for {teacher.task} and the dataset for {data.info.task}",
            "give a teacher that was made for this task",
        )
    if teacher.image_shape != data.info.shape:
        raise UserError(
            f"the teacher takes images of {teacher.image_shape} and the dataset has "
            f"{data.info.shape} (height, width, channels)",
            "set image: to the teacher's size",
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
