"""Prune: remove what matters least: single weights, channels or residual blocks."""

from __future__ import annotations

from typing import Annotated, Literal

from components.contract.types import (
    DatasetIn,
    Fraction,
    ModelIn,
    ModelOut,
    OnlyWith,
    ReportIn,
    ReportOut,
    Seed,
    Threads,
)
from components.ml.settings import Augmentation, TeacherViews, TrainingSchedule
from components.ml.techniques.channel_settings import STRUCTURED, StructureSettings
from components.ml.techniques.weight_pruning_settings import WeightPruningSettings

IMAGE = "train"
PATH = "middle"
NAMED_BY = ("method", "sparsity", "target", "remove")
MEMORY_GB = 6
TIME_LIMIT_S = 6 * 3600


def prune(
    model: ModelIn,
    dataset: DatasetIn,
    pruned: ModelOut,
    report: ReportOut,
    teacher: ModelIn | None = None,
    costs: ReportIn | None = None,
    *,
    method: Literal["weights", "tfmot", "channels", "layers"] = "weights",
    sparsity: Annotated[Fraction, OnlyWith("method", ("weights", "tfmot"))] = 0.5,
    weight_pruning: WeightPruningSettings = WeightPruningSettings(),
    structure: StructureSettings = StructureSettings(),
    schedule: TrainingSchedule = TrainingSchedule(epochs=6, learning_rate=3e-3),
    augmentation: Augmentation = Augmentation(),
    teacher_views: TeacherViews = TeacherViews(views=4),
    threads: Threads = 2,
    seed: Seed = 0,
) -> None:
    """Remove what matters least of a network while the rest learns to make up for it.

    The network learns to answer as it did before: the directions and distances of its embeddings,
    or its probabilities. What cannot be pruned stays as it is, and the report says why.

    weights: the smallest weights of every layer become 0. Their share rises as a cubic curve during
    the first 60 % of the training, and what follows is recovery; or all are chosen at once. The
    best epoch with all zeros in place is kept, or the last. Classifiers learn their teacher's
    answers and the labels meanwhile. Zeros make the file smaller once it is compressed, as on the
    way to a phone; the file itself keeps its size, and a CPU needs far more than half of them to
    become faster.

    channels: whole channels are removed, and with them all that only they are needed for. Channels
    that additions, gates and the like tie to each other go together. layers: whole residual blocks
    are, which then pass on what they read. Both make the file smaller and faster as it is.

    Where the learning rate ruins the network, which shows beside the pruned network before it was
    trained, training begins again at a tenth of it, at most twice.

    Args:
        model: The Model to prune; it must be one that can be trained further.
        dataset: Its splits train and validation are read.
        pruned: The network with what is left over.
        report: ``pruning.json``: zeros, widths or blocks before and after, why what stays does,
            validation before, untrained and by epoch, learning rates that ruined the network.
        teacher: Model whose answers can be learned (weights); without it they are those of the
            model.
        costs: The report of cost_model, by which target: latency_ms is predicted (channels,
            layers).
        method: weights: single weights, wherever they are, trained as every network here is. tfmot:
            the same by TFMOT's own choice of zeros and Keras' own training on labels, with Adam at
            a constant learning rate, about 1e-3 (classification); to compare with. channels: whole
            channels. layers: whole residual blocks.
        sparsity: Share of the weights of each layer that becomes 0 (weights, tfmot).
        weight_pruning: When they do, and what the others learn.
        structure: How much is removed, and how it is chosen.
        schedule: How long and how fast the network is trained.
        augmentation: How images are changed.
        teacher_views: What the network is asked about before it is pruned.
        threads: Threads of TensorFlow, count.
        seed: Of everything random.

    Raises:
        UserError: A model without an architecture, one that is quantized already, one of which
            not as much can be pruned, or a dataset that is not the model's; tfmot for verification,
            or where it chose too few zeros; no cost model where latency is the target; a learning
            rate of which a hundredth ruins the network, too, where the last epoch is to be kept.

    References:
        arXiv:1710.01878 (gradual pruning), arXiv:1611.06440 (which channels matter),
        arXiv:2301.12900 (channels that are tied), arXiv:1904.05068 (relations between examples),
        arXiv:1503.02531 (probabilities of a teacher).
    """
    from components.ml.runtime import configure

    configure(threads, seed)
    if method in STRUCTURED:
        from components.ml.techniques import structured_pruning

        structured_pruning.prune(
            model,
            dataset,
            costs,
            pruned,
            report,
            method=method,
            structure=structure,
            teacher_views=teacher_views,
            augmentation=augmentation,
            schedule=schedule,
            seed=seed,
        )
        return
    from components.ml.techniques.weight_pruning import prune as prune_weights

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
