"""Distill: a small student that answers what its teacher answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from components.contract.types import (
    DatasetIn,
    ModelIn,
    ModelOut,
    NonNegativeFloat,
    NonNegativeInt,
    OnlyWith,
    PositiveFloat,
    PositiveInt,
    ReportOut,
    Seed,
    Several,
    Share,
)
from components.ml.settings import Backbone

IMAGE = "train"
PATH = "first"  # it makes a new model
NAMED_BY = ("backbone", "alpha")
MEMORY_GB = 6
TIME_LIMIT_S = 6 * 3600


def distill(
    dataset: DatasetIn,
    teacher: ModelIn,
    model: ModelOut,
    report: ReportOut,
    *,
    backbone: Backbone = "mobilenet_v2",
    alpha: Annotated[PositiveFloat, OnlyWith("backbone", ("mobilenet_v2", "conv"))] = 0.35,
    embedding: PositiveInt | None = None,
    temperature: PositiveFloat = 4.0,
    soft_weight: Annotated[float, Field(ge=0, le=1)] = 0.7,
    embedding_weight: NonNegativeFloat = 1.0,
    relational_weight: NonNegativeFloat = 1.0,
    similarity_weight: NonNegativeFloat = 0.0,
    label_weight: NonNegativeFloat = 1.0,
    views: PositiveInt = 8,
    mixes: NonNegativeInt = 0,
    loss: Literal["contrastive", "triplet", "cosine_softmax", "cross_entropy"] | None = None,
    margin: NonNegativeFloat | None = None,
    scale_of_cosines: PositiveFloat = 16.0,
    contrast_weight: NonNegativeFloat = 1.0,
    label_smoothing: Share = 0.0,
    epochs: PositiveInt = 60,
    batch: PositiveInt = 32,
    identities_per_batch: Several = 8,
    images_per_identity: Several = 4,
    optimizer: Literal["adamw", "sgd"] = "adamw",
    learning_rate: PositiveFloat = 3e-3,
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
    threads: PositiveInt = 2,
    seed: Seed = 0,
) -> None:
    """Train a student from a teacher's answers and from labels.

    Classification learns the teacher's probabilities, softened by a temperature, beside the
    labels. Verification learns the teacher's embedding (its direction) and the distances and
    cosines between images, beside the loss of ``train``. The teacher is asked beforehand about a
    few views of every training image, augmented as the student will see them, and about mixes of
    these, which are nobody and can be learned by heart by none. All else is as in ``train``:
    the network of the best epoch on the validation split is kept, or the last.

    Args:
        dataset: Images and labels, of the teacher's size; the splits train and validation.
        teacher: Any Model, also one that can only be run.
        model: The student; it normalizes its input as the teacher does.
        report: ``training.json``: loss and validation metric of every epoch, and the teacher's.
        backbone: What the student is built of.
        alpha: Width of mobilenet_v2 and conv against the usual one, factor.
        embedding: Numbers in the embedding; None takes the teacher's (verification).
        temperature: Softens both sides' probabilities; above 1 shows how wrong classes rank
            (classification).
        soft_weight: Share of the teacher's answers against the labels, 0 to 1 (classification).
        embedding_weight: Weight of 1 - cosine to the teacher's embedding; where the sizes differ,
            of a projection of the student's that is learned too (verification).
        relational_weight: Weight of matching the distances within a batch (verification).
        similarity_weight: Weight of matching the cosines within a batch, about 30 to be led by it
            (verification).
        label_weight: Weight of the loss on the labels (verification).
        views: Ways that each image is seen in, count; 1 without augmentation.
        mixes: Mixes of two images each that a batch has beside its images, count. The more, the
            closer the student follows its teacher to people whom neither has seen.
        loss: None takes cosine_softmax for verification, cross_entropy for classification.
        margin: Of the loss, in its own unit: part of the way from equal to opposite for
            contrastive, squared distance for triplet, cosine for cosine_softmax, where it rises
            from 0 during the first half. None takes 0.5, 0.2 and 0.1.
        scale_of_cosines: What cosine_softmax multiplies cosines of -1 to 1 by.
        contrast_weight: Weight of the supervised contrastive loss, which is added for
            verification; 0 leaves it out.
        label_smoothing: Share of the target spread over all classes; with a softmax alone.
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
        threads: Threads of TensorFlow, count.
        seed: Of everything random.

    Raises:
        UserError: A teacher for another task, image size or classes, one identity or class only,
            a loss of the other task, or a learning rate at which training comes apart.

    References:
        arXiv:1503.02531 (soft labels), arXiv:1904.05068 (relations), arXiv:1907.09682 (cosines),
        arXiv:2106.05237 (teacher and student see the same views and mixes); those of ``train``.
    """
    from components.ml.runtime import configure
    from components.ml.settings import Recipe, Target, Tower, Transfer
    from components.ml.techniques import distillation

    configure(threads, seed)
    distillation.distill(
        dataset,
        teacher,
        model,
        report,
        tower=Tower(backbone, alpha, dropout, batch_norm_momentum),
        embedding=embedding,
        target=Target(loss, margin, scale_of_cosines, contrast_weight, label_smoothing),
        transfer=Transfer(
            temperature,
            soft_weight,
            embedding_weight,
            relational_weight,
            similarity_weight,
            label_weight,
            views,
            mixes,
        ),
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
