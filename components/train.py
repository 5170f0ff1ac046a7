"""Train: a network on labels, from scratch or from given weights."""

from __future__ import annotations

from typing import Literal

from components.contract.types import (
    DatasetIn,
    ModelOut,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ReportOut,
    Seed,
    Several,
    Share,
    SourceIn,
)
from components.ml.settings import Backbone

IMAGE = "train"
MEMORY_GB = 6
TIME_LIMIT_S = 6 * 3600


def train(
    dataset: DatasetIn,
    weights: SourceIn | None,
    model: ModelOut,
    report: ReportOut,
    *,
    backbone: Backbone = "resnet50",
    alpha: PositiveFloat = 1.0,
    embedding: PositiveInt = 128,
    loss: Literal["contrastive", "triplet", "cosine_softmax", "cross_entropy"] | None = None,
    margin: NonNegativeFloat | None = None,
    scale_of_cosines: PositiveFloat = 16.0,
    contrast_weight: NonNegativeFloat = 1.0,
    label_smoothing: Share = 0.0,
    guide_weight: NonNegativeFloat = 0.0,
    mixes: NonNegativeInt = 16,
    epochs: PositiveInt = 30,
    batch: PositiveInt = 32,
    identities_per_batch: Several = 8,
    images_per_identity: Several = 4,
    optimizer: Literal["adamw", "sgd"] = "adamw",
    learning_rate: PositiveFloat = 1e-3,
    weight_decay: NonNegativeFloat = 0.05,
    warmup_epochs: NonNegativeFloat = 3.0,
    clip_norm: NonNegativeFloat = 1.0,
    averaging: Share = 0.0,
    patience: PositiveInt | None = None,
    keep: Literal["best", "last"] = "best",
    augment: Literal["none", "light", "strong"] = "light",
    flip: bool = False,
    dropout: Share = 0.0,
    batch_norm_momentum: Share = 0.9,
    mean: float = 127.5,
    scale: PositiveFloat = 127.5,
    threads: PositiveInt = 2,
    seed: Seed = 0,
) -> None:
    """Train a network on the dataset.

    Reads the splits train and validation. The network of the best epoch is kept: the one with the
    highest validation metric (AUC over all pairs, or accuracy); or the last. Verification trains
    the Siamese way: P identities x K images a batch, all pairs compared within it; what is kept is
    the tower.
    The learning rate rises in a line during the warm-up and falls as half a cosine.

    Args:
        dataset: Images and labels; the network takes images of its size.
        weights: What the backbone starts from: Keras ``.h5`` weights by name, or safetensors.
        model: The network.
        report: ``training.json``: loss and validation metric of every epoch.
        backbone: What the tower is built of.
        alpha: Width of mobilenet_v2 and conv against the usual one, factor.
        embedding: Numbers in the embedding; verification alone.
        loss: None takes cosine_softmax for verification, cross_entropy for classification.
        margin: Of the loss, in its own unit: part of the way from equal to opposite for
            contrastive, squared distance for triplet, cosine for cosine_softmax, where it rises
            from 0 during the first half. None takes 0.5, 0.2 and 0.1.
        scale_of_cosines: What cosine_softmax multiplies cosines of -1 to 1 by.
        contrast_weight: Weight of the supervised contrastive loss, which is added for
            verification; 0 leaves it out.
        label_smoothing: Share of the target spread over all classes; with a softmax alone.
        guide_weight: Weight of a linear guide: the cosines within a batch are to be those of linear
            discriminants of the pixels, 100 to 1000 to be led by it; 0 goes without. For aligned
            pictures of few identities, where a network alone learns these by heart
            (verification).
        mixes: Mixes of two images each that a batch has beside its images, for the guide, count.
            The more, the closer the network follows it to people whom it has not seen.
        epochs: Times that about all images are seen, count.
        batch: Images per step, count; where images are not compared (classification).
        identities_per_batch: P, count, at least 2; at most as many as there are (verification).
        images_per_identity: K, count, at least 2; small identities repeat (verification).
        optimizer: adamw, or sgd with Nesterov momentum 0.9.
        learning_rate: Its peak, after the warm-up.
        weight_decay: Decoupled: a step shrinks the kernels by this share times the learning rate.
        warmup_epochs: Length of the rise, epochs.
        clip_norm: Longest gradient over all weights; 0 leaves it as it is.
        averaging: Decay of the moving average of the weights that is kept in their place, 0 to
            below 1; 0 keeps the weights themselves.
        patience: Epochs without a better validation metric after which training stops; None
            goes through all of them.
        keep: Which epoch's network: the best on the validation split, or the last, which is the
            safer choice where so few validate that the best is the luckiest.
        augment: How much images are turned, moved, lit and (strong) covered.
        flip: Mirror half of the images. Right for faces and most objects, wrong for digits.
        dropout: Share of the features hidden from the head.
        batch_norm_momentum: Of the moving statistics.
        mean: Subtracted from every pixel of 0 to 255 before the network.
        scale: What the difference is divided by.
        threads: Threads of TensorFlow, count.
        seed: Of everything random.

    Raises:
        UserError: A file that is refused or does not fit the data, one identity or class only, a
            loss of the other task, or a learning rate at which training comes apart.

    References:
        arXiv:1704.06369, arXiv:1801.09414 and arXiv:1801.07698 (cosine softmax), arXiv:1503.03832
        (semi-hard triplets), arXiv:2004.11362 (supervised contrastive), arXiv:1907.09682 (cosines
        to preserve), arXiv:1711.05101 (AdamW), arXiv:1608.03983 (cosine learning rate),
        arXiv:1708.04552 (cutout).
    """
    from components.ml.runtime import configure
    from components.ml.settings import Guidance, Recipe, Target, Tower
    from components.ml.techniques import supervised

    configure(threads, seed)
    supervised.teach(
        dataset,
        model,
        report,
        weights=weights,
        tower=Tower(backbone, alpha, dropout, batch_norm_momentum),
        embedding=embedding,
        target=Target(loss, margin, scale_of_cosines, contrast_weight, label_smoothing),
        guidance=Guidance(guide_weight, mixes),
        mean=mean,
        scale=scale,
        recipe=Recipe(
            epochs=epochs,
            batch=batch,
            identities_per_batch=identities_per_batch,
            images_per_identity=images_per_identity,
            optimizer=optimizer,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            warmup_epochs=warmup_epochs,
            clip_norm=clip_norm,
            averaging=averaging,
            patience=patience,
            keep=keep,
            augment=augment,
            flip=flip,
            seed=seed,
        ),
    )
