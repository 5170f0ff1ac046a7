"""Distill: a small student that answers what its teacher answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from components.contract.types import (
    DatasetIn,
    ModelIn,
    ModelOut,
    OnlyWith,
    ReportIn,
    ReportOut,
    Seed,
    Threads,
    VectorLength,
)
from components.ml.settings import (
    Augmentation,
    LossSettings,
    Network,
    Optimization,
    TeacherViews,
)
from components.ml.techniques.distillation_settings import DistillationSettings

if TYPE_CHECKING:
    from components.artifacts.search_front import Architecture

IMAGE = "train"
PATH = "first"  # it makes a new model
NAMED_BY = ("architecture", "backbone", "alpha", "widths")
MEMORY_GB = 6
TIME_LIMIT_S = 6 * 3600

STUDENT = Network(backbone="mobilenet_v2", alpha=0.35)
"""What a student is where nothing else is said."""


def distill(
    dataset: DatasetIn,
    teacher: ModelIn,
    model: ModelOut,
    report: ReportOut,
    front: ReportIn | None = None,
    *,
    architecture: Literal["search"] | None = None,
    network: Network = STUDENT,
    embedding: Annotated[VectorLength | None, OnlyWith("architecture", (None,))] = None,
    distillation: DistillationSettings = DistillationSettings(),
    teacher_views: TeacherViews = TeacherViews(views=8),
    control: bool = False,
    loss: LossSettings = LossSettings(),
    augmentation: Augmentation = Augmentation(),
    optimization: Optimization = Optimization(epochs=60, learning_rate=3e-3),
    threads: Threads = 2,
    seed: Seed = 0,
) -> None:
    """Train a student from a teacher's answers and from labels.

    Classification learns the teacher's probabilities, softened by a temperature, beside the
    labels. Verification learns the teacher's embedding (its direction) and the distances and
    cosines between images, or their distribution, beside the loss of ``train``. What layers inside
    the teacher answer (hints) and where in the image (attention) can be learned, too. All these
    add up, each with its weight. The teacher is asked beforehand about a few views of every
    training image, augmented as the student will see them, and about mixed ones, which show nobody
    and cannot be learned by heart. All else is as in ``train``:
    the network of the best epoch on the validation split is kept, or the last.

    Args:
        dataset: Images and labels; the splits train and validation.
        teacher: Any Model, also one that can only be run. One of another image size sees them
            enlarged bilinearly, or averaged. Of one that is only answers, every view
            of an image has the answer to the image as it is, and nothing is known of mixed ones.
        model: The student; it normalizes its input as the teacher does.
        report: ``training.json``: loss and validation metric of every epoch, and the teacher's.
        front: The report of search, from which ``architecture: search`` takes the student.
        architecture: search: the smallest architecture within all budgets that the search of the
            configuration found, in place of ``backbone`` and all that goes with it. None takes
            these.
        network: What the student is built of.
        embedding: Numbers in the embedding; None takes the teacher's (verification).
        distillation: How much each kind of the teacher's answers weighs.
        teacher_views: What the teacher is asked about.
        control: Learn from the labels alone, with the same network, schedule and seed, as
            ``train`` does: what a student is compared with. In a configuration ``true`` adds such a
            control beside the variant, with the same steps after it.
        loss: What is learned from the labels.
        augmentation: How images are changed.
        optimization: How the student is trained.
        threads: Threads of TensorFlow, count.
        seed: Of everything random.

    Raises:
        UserError: No report of a search where one is to be taken from, a teacher for another task,
            other channels or classes, hints or attention of one
            that can only be run, layers that are not there, one identity or class only,
            a loss of the other task, or a learning rate at which training comes apart.

    References:
        arXiv:1503.02531 (soft labels), arXiv:1412.6550 (hints), arXiv:1612.03928 (attention),
        arXiv:1904.05068 (relations), arXiv:1907.09682 (cosines), arXiv:2101.04731 and
        arXiv:2010.14713 (distributions of cosines),
        arXiv:2106.05237 (teacher and student see the same views, also mixed); those of ``train``.
    """
    from components.ml.networks.fitting_network import without_idle
    from components.ml.runtime import configure
    from components.ml.techniques.distillation import train_control, train_student

    configure(threads, seed)
    network, found = without_idle(network, STUDENT), None
    if architecture == "search":
        taken = _taken(front)
        network, found = Network(**taken.network), taken.name
        embedding = taken.embedding
    if control:
        train_control(
            dataset,
            teacher,
            model,
            report,
            network=network,
            architecture=found,
            embedding=embedding,
            loss=loss,
            augmentation=augmentation,
            optimization=optimization,
            seed=seed,
        )
        return
    train_student(
        dataset,
        teacher,
        model,
        report,
        network=network,
        architecture=found,
        embedding=embedding,
        settings=distillation,
        teacher_views=teacher_views,
        loss=loss,
        augmentation=augmentation,
        optimization=optimization,
        seed=seed,
    )


def _taken(front: Path | None) -> Architecture:
    """Return the architecture that a search found.

    Raises:
        UserError: There is no report of a search.
    """
    from components.artifacts.search_front import SearchFront
    from components.contract.errors import UserError

    if front is None:
        raise UserError(
            "distill: architecture: search takes what a search found; there is no report of one",
            "give --front, or leave architecture away and set backbone",
        )
    return SearchFront.read(front).taken
