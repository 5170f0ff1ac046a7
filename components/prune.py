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
from components.ml.techniques.weight_pruning_settings import WeightPruningSettings

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
    teacher: ModelIn | None = None,
    *,
    method: Literal["weights", "tfmot"] = "weights",
    sparsity: Fraction = 0.5,
    weight_pruning: WeightPruningSettings = WeightPruningSettings(),
    schedule: TrainingSchedule = TrainingSchedule(epochs=6, learning_rate=3e-3),
    augmentation: Augmentation = Augmentation(),
    teacher_views: TeacherViews = TeacherViews(views=4),
    threads: Threads = 2,
    seed: Seed = 0,
) -> None:
    """Set the smallest weights of every layer to 0 while the others learn to make up for it.

    The share of zeros rises as a cubic curve during the first 60 % of the training, and what
    follows is recovery; or all are chosen at once. The network learns to answer as it did before,
    or as its teacher does (the directions and distances of embeddings, or probabilities), and the
    labels beside that. The best epoch with all zeros in place is kept, or the last.
    Layers that cannot be pruned stay as they are, and the report says why.

    Zeros make the file smaller once it is compressed, as on the way to a phone; the file itself
    keeps its size, and a CPU needs far more than half of them to become faster.

    Args:
        model: The Model to prune; it must be one that can be trained further.
        dataset: Its splits train and validation are read.
        pruned: The same architecture with the weights left over.
        report: ``pruning.json``: zeros of every layer before and after, why layers were skipped,
            validation before and by epoch.
        teacher: Model whose answers can be learned; without it they are those of the model.
        method: weights: single weights, wherever they are, trained as every network here is. tfmot:
            the same by TFMOT's own choice of zeros and Keras' own training on labels, with Adam at
            a constant learning rate, about 1e-3 (classification); to compare with.
        sparsity: Share of the weights of each layer that becomes 0.
        weight_pruning: When they do, and what the others learn.
        schedule: How long and how fast the network is trained.
        augmentation: How images are changed.
        teacher_views: What the network is asked about before it is pruned.
        threads: Threads of TensorFlow, count.
        seed: Of everything random.

    Raises:
        UserError: A model without an architecture, one that is quantized already, one without a
            layer that can be pruned, or a dataset that is not the model's; tfmot for verification,
            or where it chose too few zeros.

    References:
        arXiv:1710.01878 (gradual pruning), arXiv:1904.05068 (relations between examples),
        arXiv:1503.02531 (probabilities of a teacher).
    """
    from components.ml.runtime import configure
    from components.ml.techniques.weight_pruning import prune as prune_weights

    configure(threads, seed)
    prune_weights(
        model,
        dataset,
        teacher,
        pruned,
        report,
        method=method,
        sparsity=sparsity,
        settings=weight_pruning,
        teacher_views=teacher_views,
        augmentation=augmentation,
        schedule=schedule,
        seed=seed,
    )
