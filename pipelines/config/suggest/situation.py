"""What a suggestion is made for: everything that the rules look at, taken from a configuration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal, TypeAlias, cast

from components.contract.types import Task
from components.ml.settings import Network
from pipelines.config.configuration import Config
from pipelines.config.parameters import offered
from pipelines.config.sections import (
    AnswersTeacher,
    AutoSection,
    ImportedTeacher,
    TrainedTeacher,
)

TeacherKind: TypeAlias = Literal["trained", "imported", "saved_model", "answers"]
"""A network that is trained here; one of the user's that can be trained further; one that can only
be run, such as a SavedModel; or answers alone."""

IMAGES_ASSUMED = 5_000
"""Images that train, where neither ``split.subset`` nor ``auto.images`` says how many."""
_TRAINABLE = (".keras", ".h5", ".hdf5")
_MEGABYTE = 1_000_000
_EMBEDDING = 128
CLASSES_ASSUMED = 10
"""Classes, where ``auto.classes`` does not say how many."""


@dataclass(frozen=True)
class Situation:
    """What is known before anything runs; no clock, no machine, nothing of the data itself.

    Attributes:
        task: What the model is to do.
        height: Rows of an image, pixels.
        width: Columns of an image, pixels.
        channels: 1 or 3.
        teacher: What kind of teacher there is.
        network: What the teacher is built of, where it is trained here.
        teacher_epochs: How often it sees all images; 0 where it is not trained. With ``turns``
            each image four times in an epoch, with ``mirrors`` twice.
        outputs: Numbers that come out of the teacher: its embedding, or classes.
        size_bytes: Largest file, or None.
        drop: Largest loss of the metric.
        latency_bound: Whether time counts: there is a budget of it, or the fastest wins.
        minutes: For the whole run, the teacher included.
        images: That train, count.
        download: Whether the compressed file counts.
    """

    task: Task
    height: int
    width: int
    channels: int
    teacher: TeacherKind
    network: Network | None
    teacher_epochs: int
    outputs: int
    size_bytes: int | None
    drop: float
    latency_bound: bool
    minutes: float
    images: int
    download: bool

    @property
    def side(self) -> int:
        """Pixels of the shorter side."""
        return min(self.height, self.width)

    @property
    def trainable_teacher(self) -> bool:
        """Whether the teacher's own network can be changed and trained further."""
        return self.teacher in ("trained", "imported")


def situation_of(config: Config, auto: AutoSection) -> Situation:
    """Take from a configuration what the rules look at; its variants are not among it.

    Args:
        config: A valid one.
        auto: What is said of time, images and downloads.
    """
    budgets, teacher = config.budgets, config.teacher
    network, epochs, embedding = None, 0, _EMBEDDING
    if isinstance(teacher, TrainedTeacher):
        known = {item.name: item.default for item in offered("train").parameters}
        network = teacher.network
        epochs = cast("int", teacher.parameters.get("epochs", known["epochs"]))
        epochs *= 4 if teacher.parameters.get("turns") else 1
        epochs *= 2 if teacher.parameters.get("mirrors") else 1
        embedding = cast("int", teacher.parameters.get("embedding", _EMBEDDING))
    limited = {*budgets.limits, *(key for own in (budgets.by_device or {}).values() for key in own)}
    return Situation(
        task=config.task,
        height=config.image.height,
        width=config.image.width,
        channels=config.image.channels,
        teacher=_kind(config),
        network=network,
        teacher_epochs=0 if network and network.backbone == "linear" else epochs,
        outputs=embedding if config.task == "verification" else auto.classes or CLASSES_ASSUMED,
        size_bytes=None if budgets.size_mb is None else round(budgets.size_mb * _MEGABYTE),
        drop=budgets.drop,
        latency_bound="latency_ms" in limited or config.minimize == "latency",
        minutes=auto.minutes,
        images=_training_images(config, auto),
        download=auto.download,
    )


def _kind(config: Config) -> TeacherKind:
    if isinstance(config.teacher, AnswersTeacher):
        return "answers"
    if not isinstance(config.teacher, ImportedTeacher):
        return "trained"
    suffix = PurePosixPath(config.teacher.model.lower()).suffix
    return "imported" if suffix in _TRAINABLE else "saved_model"


def _training_images(config: Config, auto: AutoSection) -> int:
    """Return how many images train: what is said of all, less those that judge."""
    known = {item.name: item.default for item in offered("ingest").parameters}
    judging = sum(
        cast("float", config.split.get(name, known[name]))
        for name in ("validation", "selection", "sealed")
    )
    subset = cast("int | None", config.split.get("subset"))
    if subset is None:
        return auto.images or IMAGES_ASSUMED
    trained = max(1, round(subset * (1 - judging)))
    return min(auto.images or trained, trained)
