"""Cluster: let the weights of every layer share a few values."""

from __future__ import annotations

from components.contract.types import (
    DatasetIn,
    ModelIn,
    ModelOut,
    ReportOut,
    Seed,
    Share,
    Threads,
)
from components.ml.settings import Augmentation, TeacherViews, TrainingSchedule
from components.ml.techniques.clustering_settings import ClusteringSettings

IMAGE = "train"
PATH = "middle"
NAMED_BY = ("method", "clusters", "bits")
MEMORY_GB = 6
TIME_LIMIT_S = 6 * 3600


def cluster(
    model: ModelIn,
    dataset: DatasetIn,
    clustered: ModelOut,
    report: ReportOut,
    *,
    clustering: ClusteringSettings = ClusteringSettings(),
    fine_tune: bool = True,
    label_weight: Share = 0.0,
    schedule: TrainingSchedule = TrainingSchedule(epochs=3, learning_rate=1e-3),
    augmentation: Augmentation = Augmentation(),
    teacher_views: TeacherViews = TeacherViews(views=4),
    threads: Threads = 2,
    seed: Seed = 0,
) -> None:
    """Give the weights of every layer a few values, which are trained together.

    Batch norms are folded first, because folding would part equal weights again. Which weights
    share a value is decided once; the values are then trained so that the network answers as it
    did before. Pruned weights stay 0. Depthwise kernels are left alone, and the report says so.
    Where the learning rate ruins the network, which validation shows after a quarter of the epochs,
    training begins again at a tenth of it, at most twice.

    The file itself keeps its length, because it holds every weight as before. What shrinks is the
    compressed file, as on the way to a phone: it takes the gzipped size to see what was won.

    Args:
        model: The Model to cluster; it must be one that can be trained further.
        dataset: Its splits train and validation are read.
        clustered: The network with its batch norms folded and few values in every kernel.
        report: ``clustering.json``: values and change of every kernel, why some were skipped,
            what kernels take raw and gzipped, validation before and by epoch, learning rates that
            ruined the network.
        clustering: Which values.
        fine_tune: Train the values; False leaves them as they are found.
        label_weight: Share of the labels in the loss; the rest is the network's own answers.
        schedule: How long and how fast the network is trained.
        augmentation: How images are changed.
        teacher_views: What the network is asked about before it is clustered.
        threads: Threads of TensorFlow, count.
        seed: Of everything random.

    Raises:
        UserError: A model without an architecture, one that is quantized already, one without a
            layer that can be clustered, a dataset that is not the model's, or a learning rate of
            which a hundredth ruins the network, too, where the last epoch is to be kept.

    References:
        arXiv:1510.00149 (weight sharing), arXiv:1503.02531 (probabilities of a teacher),
        arXiv:1904.05068 (relations between examples).
    """
    from components.ml.runtime import configure
    from components.ml.techniques import clustering as technique
    from components.ml.techniques.self_distillation import SelfDistillation

    configure(threads, seed)
    training = SelfDistillation(schedule, augmentation, teacher_views, label_weight, seed)
    technique.cluster(
        model,
        dataset,
        clustered,
        report,
        settings=clustering,
        training=training if fine_tune else None,
    )
