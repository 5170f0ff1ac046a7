"""Settings that several components share, each documented once; no frameworks.

A component's signature holds them as parts, whose fields are its parameters: ``epochs`` on the
command line is ``Optimization.epochs`` here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from components.contract.types import (
    BatchSize,
    Formerly,
    NonNegativeFloat,
    NonNegativeInt,
    OnlyWith,
    PositiveFloat,
    PositiveInt,
    Repeats,
    Several,
    Share,
    WidthFactor,
)

Backbone: TypeAlias = Literal["resnet50", "mobilenet_v2", "conv"]
Loss: TypeAlias = Literal["contrastive", "triplet", "cosine_softmax", "cross_entropy"]
Optimizer: TypeAlias = Literal["adamw", "sgd"]
Augment: TypeAlias = Literal["auto", "none", "light", "strong"]
Keep: TypeAlias = Literal["best", "last"]
ClassWeight: TypeAlias = Literal["none", "balanced"]


@dataclass(frozen=True, kw_only=True)
class Network:
    """What a network is built of.

    Attributes:
        backbone: resnet50: 23.5 million parameters (arXiv:1512.03385), a teacher. mobilenet_v2:
            inverted residuals whose width follows alpha (arXiv:1801.04381), a student. conv: a few
            plain convolutions whose width follows alpha, for small images such as 8 x 8 digits.
        alpha: Width of mobilenet_v2 and conv against the usual one, factor.
        dropout: Share of the features that training hides from the head.
        batch_norm_momentum: Momentum of the batch norms' moving statistics.
    """

    backbone: Backbone = "resnet50"
    alpha: Annotated[WidthFactor, OnlyWith("backbone", ("mobilenet_v2", "conv"))] = 1.0
    dropout: Share = 0.0
    batch_norm_momentum: Share = 0.9


@dataclass(frozen=True, kw_only=True)
class LossSettings:
    """What is made small when learning from labels.

    Attributes:
        loss: Loss on the labels. None takes cosine_softmax for verification, cross_entropy for
            classification.
        margin: Margin of the loss, in its own unit: part of the way from equal to opposite for
            contrastive, squared distance for triplet, cosine for cosine_softmax, where it rises
            from 0 during the first half. None takes 0.5, 0.2 and 0.1.
        scale_of_cosines: What cosine_softmax multiplies cosines of -1 to 1 by.
        contrast_weight: Weight of the supervised contrastive loss, which is added for
            verification; 0 leaves it out.
        label_smoothing: Share of the target spread over all classes; with a softmax alone.
        class_weight: none: all images weigh the same. balanced: all classes do, so that an image
            weighs the more the rarer its class is (classification; for verification, batches
            hold as many images of each identity as of any other anyway).
    """

    loss: Loss | None = None
    margin: NonNegativeFloat | None = None
    scale_of_cosines: PositiveFloat = 16.0
    contrast_weight: NonNegativeFloat = 1.0
    label_smoothing: Share = 0.0
    class_weight: ClassWeight = "none"


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How images are changed each time they are seen.

    Attributes:
        augment: How much images are turned, moved, lit and covered. auto: none where a classifier
            learns from labels alone for fewer than 1,500 steps, which are too few to learn more
            than the images as they are; light otherwise.
        flip: Mirror half of the images. Right for faces and most objects, wrong for digits.
    """

    augment: Augment = "auto"
    flip: bool = False


@dataclass(frozen=True, kw_only=True)
class TeacherViews:
    """What a teacher is asked about before the training.

    Attributes:
        views: Ways that each image is seen in, count; 1 without augmentation.
        mixup: Mixed images, of two each, that a batch has beside its images, count. The more, the
            closer a network follows its teacher to people whom neither has seen; for few images.
    """

    views: BatchSize = 8
    mixup: Annotated[NonNegativeInt, Field(le=65_536), Formerly("mixes")] = 0


@dataclass(frozen=True, kw_only=True)
class TrainingSchedule:
    """How long a network is trained, how fast, and which of its states is kept.

    Attributes:
        epochs: Times that about all images are seen, count.
        batch: Images per step, count; where images are not compared: not by train and distill for
            verification.
        learning_rate: Its peak, after the warm-up where there is one; it falls as half a cosine.
        keep: Which epoch's network is kept: the best on the validation split, or the last, which is
            the safer choice where so few validate that the best is the luckiest.
    """

    epochs: Repeats = 30
    batch: BatchSize = 32
    learning_rate: PositiveFloat = 1e-3
    keep: Keep = "best"


@dataclass(frozen=True, kw_only=True)
class Optimization(TrainingSchedule):
    """How a network is trained: its schedule and all the rest.

    Attributes:
        identities_per_batch: P, count, at least 2; at most as many as there are (verification).
        images_per_identity: K, count, at least 2; small identities repeat (verification).
        optimizer: adamw, or sgd with Nesterov momentum 0.9.
        weight_decay: Share by which a step shrinks the kernels, times the learning rate; decoupled
            from the gradients.
        warmup: Length of the learning rate's rise to its peak, as a share of all steps.
        clip_norm: Longest gradient over all weights; 0 leaves it as it is.
        averaging: Decay of the moving average of the weights that is kept in their place, 0 to
            below 1; 0 keeps the weights themselves.
        patience: Epochs without a better validation metric after which training stops; None
            goes through all of them.
    """

    identities_per_batch: Several = 8
    images_per_identity: Several = 4
    optimizer: Optimizer = "adamw"
    weight_decay: NonNegativeFloat = 0.05
    warmup: Annotated[
        Share,
        Formerly("warmup_epochs", "a share of all steps, 0.1 for 3 epochs of 30"),
    ] = 0.1
    clip_norm: NonNegativeFloat = 1.0
    averaging: Share = 0.0
    patience: PositiveInt | None = None
