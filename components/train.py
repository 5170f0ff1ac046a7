"""Train: a network trained on labels, from scratch or from given weights."""

from __future__ import annotations

from components.contract.types import (
    DatasetIn,
    ModelOut,
    PositiveFloat,
    ReportOut,
    Seed,
    SourceIn,
    Threads,
    VectorLength,
)
from components.ml.settings import Augmentation, LossSettings, Network, Optimization
from components.ml.techniques.fisher_settings import FisherSettings

IMAGE = "train"
PATH = "first"  # it makes a new model
NAMED_BY = ("backbone", "alpha", "widths")
MEMORY_GB = 6
TIME_LIMIT_S = 6 * 3600


def train(
    dataset: DatasetIn,
    weights: SourceIn | None,
    model: ModelOut,
    report: ReportOut,
    *,
    network: Network = Network(),
    embedding: VectorLength = 128,
    loss: LossSettings = LossSettings(),
    fisher: FisherSettings = FisherSettings(),
    augmentation: Augmentation = Augmentation(),
    optimization: Optimization = Optimization(),
    mean: float = 127.5,
    scale: PositiveFloat = 127.5,
    threads: Threads = 2,
    seed: Seed = 0,
) -> None:
    """Train a network on the labels of the dataset.

    Reads the splits train and validation. The network of the best epoch is kept: the one with the
    highest validation metric (AUC over all pairs, or accuracy); or the last. Verification trains
    the Siamese way: P identities x K images a batch, all pairs compared within it; what is kept is
    the network that makes the embedding.
    The learning rate rises in a line during the warm-up and falls as half a cosine.

    The backbone ``linear`` is fitted in one go: Fisher's discriminants of the images (verification)
    or softmax regression, of the images averaged to about a thousand numbers each.

    Args:
        dataset: Images and labels; the network takes images of its size.
        weights: What the backbone starts from: Keras ``.h5`` weights by name, or safetensors.
        model: The network.
        report: ``training.json``: loss and validation metric of every epoch.
        network: What it is built of.
        embedding: Numbers in the embedding; verification alone. A linear map has no more than there
            are identities, less one.
        loss: What is learned from the labels.
        fisher: How much the discriminants of the pixels lead.
        augmentation: How images are changed.
        optimization: How the network is trained.
        mean: Subtracted from every pixel of 0 to 255 before the network.
        scale: What the difference is divided by.
        threads: Threads of TensorFlow, count.
        seed: Of everything random.

    Raises:
        UserError: Weights that are refused or do not fit, one identity or class only, a loss of
            the other task, or a learning rate at which training comes apart.

    References:
        arXiv:1704.06369, arXiv:1801.09414 and arXiv:1801.07698 (cosine softmax), arXiv:1503.03832
        (semi-hard triplets), arXiv:2004.11362 (supervised contrastive), arXiv:1907.09682 (cosines
        to preserve), arXiv:1710.09412 (mixup), arXiv:1711.05101 (AdamW), arXiv:1608.03983 (cosine
        learning rate), arXiv:1708.04552 (cutout).
    """
    from components.contract.errors import UserError
    from components.ml.runtime import configure
    from components.ml.techniques import linear, supervised

    configure(threads, seed)
    if network.backbone == "linear":
        if weights is not None:
            what = "weights are given, and a linear map begins from none"
            raise UserError(what, "leave weights away, or set another backbone")
        linear.fit_and_save(
            dataset,
            model,
            report,
            network=network,
            embedding=embedding,
            augmentation=augmentation,
            mean=mean,
            scale=scale,
            seed=seed,
        )
        return
    supervised.fit_and_save(
        dataset,
        model,
        report,
        weights=weights,
        network=network,
        embedding=embedding,
        loss=loss,
        fisher=fisher,
        augmentation=augmentation,
        optimization=optimization,
        mean=mean,
        scale=scale,
        seed=seed,
    )
