"""Prune: set the weights that matter least to 0."""

from __future__ import annotations

from typing import Literal

from components.contract.types import (
    DatasetIn,
    Fraction,
    ModelIn,
    ModelOut,
    ReportOut,
    Seed,
    Threads,
)
from components.ml.settings import Augmentation, TeacherViews, TrainingSchedule

IMAGE = "train"
PATH = "middle"
NAMED_BY = ("method", "sparsity")
MEMORY_GB = 6
TIME_LIMIT_S = 6 * 3600


def prune(
    model: ModelIn,
    dataset: DatasetIn,
    pruned: ModelOut,
    report: ReportOut,
    *,
    method: Literal["weights"] = "weights",
    sparsity: Fraction = 0.5,
    schedule: TrainingSchedule = TrainingSchedule(epochs=6, learning_rate=3e-3),
    augmentation: Augmentation = Augmentation(),
    teacher_views: TeacherViews = TeacherViews(views=4),
    threads: Threads = 2,
    seed: Seed = 0,
) -> None:
    """Set the smallest weights of every layer to 0 while the others learn to make up for it.

    The share of zeros rises as a cubic curve during the first 60 % of the training; what follows is
    recovery. The network learns to answer as it did before: the directions and distances of its
    embeddings, or its probabilities. The best epoch with all zeros in place is kept, or the last.
    Layers that cannot be pruned stay as they are, and the report says why.

    Zeros make the file smaller once it is compressed, as on the way to a phone; the file itself
    keeps its size, and a CPU needs far more than half of them to become faster.

    Args:
        model: The Model to prune; it must be one that can be trained further.
        dataset: Its splits train and validation are read.
        pruned: The same architecture with the weights left over.
        report: ``pruning.json``: zeros of every layer before and after, why layers were skipped,
            validation before and by epoch.
        method: weights: single weights, wherever they are.
        sparsity: Share of the weights of each layer that becomes 0.
        schedule: How long and how fast the network is trained.
        augmentation: How images are changed.
        teacher_views: What the network is asked about before it is pruned.
        threads: Threads of TensorFlow, count.
        seed: Of everything random.

    Raises:
        UserError: A model without an architecture, one that is quantized already, one without a
            layer that can be pruned, or a dataset that is not the model's.

    References:
        arXiv:1710.01878 (gradual pruning), arXiv:1904.05068 (relations between examples),
        arXiv:1503.02531 (probabilities of a teacher).
    """
    from components.ml.runtime import configure
    from components.ml.techniques import weight_pruning

    configure(threads, seed)
    assert method == "weights", "the only method so far"
    weight_pruning.prune(
        model,
        dataset,
        pruned,
        report,
        sparsity=sparsity,
        teacher_views=teacher_views,
        augmentation=augmentation,
        schedule=schedule,
        seed=seed,
    )
