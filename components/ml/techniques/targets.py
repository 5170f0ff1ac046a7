"""Targets: what a student learns of its teacher, of whatever kind it is.

Of a network, everything; of a program, its answers to any image; of a teacher that ran elsewhere,
its answers to the images as they are.

Shapes: n images, t numbers of a teacher's output.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from components.artifacts import answers
from components.artifacts.dataset import Dataset
from components.artifacts.model import ModelInfo
from components.contract.errors import UserError
from components.ml.settings import Augmentation, TeacherViews
from components.ml.techniques.distillation_settings import DistillationSettings
from components.ml.techniques.feature_matching import (
    FeatureMatching,
    asked_teacher,
    feature_matching,
)
from components.ml.techniques.feature_pairing import pairing_of
from components.ml.training.examples import Examples
from components.ml.training.folder_outputs import network_seeing, outputs_of_folder
from components.ml.training.outputs import outputs_of
from components.ml.training.teacher import ask_teacher, with_answers
from components.ml.training.validation import SPLIT, Validation


@dataclass(frozen=True, eq=False)
class Targets:
    """What is learned of a teacher.

    Attributes:
        examples: With its answers.
        features: What is learned from inside it; None where nothing is.
        measure: Its metric on the validation split.
        told: What the report says of it.
    """

    examples: Examples
    features: FeatureMatching | None
    measure: Callable[[Validation], float]
    told: Mapping[str, object]


def targets_of(
    teacher: Path,
    examples: Examples,
    data: Dataset,
    student: Any,
    settings: DistillationSettings,
    views: TeacherViews,
    augmentation: Augmentation,
    seed: int,
) -> Targets:
    """Ask a teacher about the training images.

    Args:
        teacher: Its Model.
        examples: Its images to train on.
        data: The dataset.
        student: The ``tf_keras`` model that will learn.
        settings: Whether what is inside the teacher is to be learned.
        views: What the teacher is asked about.
        augmentation: How images are changed.
        seed: Of the views.

    Raises:
        UserError: Something inside a teacher that can only be run, or layers that are not there.
    """
    info = ModelInfo.read(teacher)
    known_nt, validated_nt = (answers.stored(teacher, split) for split in ("train", SPLIT))
    known = known_nt is not None
    if settings.features and (known or not info.trainable):
        how = "is known by its answers alone" if known else "is a program that can only be run"
        name = "hint_weight" if settings.hint_weight else "attention_weight"
        raise UserError(
            f"{name}: the teacher in {teacher} {how}, so nothing inside of it can be learned",
            "set hint_weight: 0 and attention_weight: 0, or give the teacher as a .keras or .h5 "
            "file of known layers",
        )
    for name, what in (("turns", "turned"), ("mirrors", "mirrored")):
        if known and getattr(augmentation, name):
            raise UserError(
                f"{name}: the teacher is known by its answers to images as they are, and cannot be "
                f"asked about {what} ones",
                f"leave {name} away, or give the teacher as a model",
            )
    if known_nt is not None and validated_nt is not None:
        learned = with_answers(examples, known_nt, info, views, augmentation, seed)
        return Targets(learned, None, lambda one: one.measure_answers(validated_nt), {})
    if not settings.features:
        outputs = outputs_of_folder(teacher, info, data.info.shape)
        learned = ask_teacher(examples, outputs, info, views, augmentation, seed)
        return Targets(learned, None, lambda one: one.measure(outputs), {})
    network, seen = network_seeing(teacher, info, data.info.shape)
    pairing = pairing_of(network, student, settings)
    asked = asked_teacher(network, seen, pairing, examples)
    learned = ask_teacher(examples, asked.answers, info, views, augmentation, seed)
    told: dict[str, object] = {"pairing": asdict(pairing)}
    if asked.components:
        told["components_of_hints"] = asked.components.basis_cp.shape[1]
        told["variance_in_components"] = asked.components.share
    return Targets(
        learned,
        feature_matching(pairing, student, asked.components, settings, seed),
        lambda one: one.measure(outputs_of(network, seen)),
        told,
    )
