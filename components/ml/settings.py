"""Settings that several components share, each documented once; no frameworks.

A component's signature holds them as parts, whose fields are its parameters: ``epochs`` on the
command line is ``Optimization.epochs`` here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias, get_args

from pydantic import Field

from components.contract.types import (
    BatchSize,
    ChannelCount,
    DepthFactor,
    Expansion,
    Formerly,
    ImageSide,
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

Backbone: TypeAlias = Literal[
    "resnet50",
    "mobilenet_v1",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "mobilenet_v3_large",
    "efficientnet_b0",
    "efficientnet_lite0",
    "efficientnet_lite1",
    "efficientnet_lite2",
    "efficientnet_lite3",
    "efficientnet_lite4",
    "mobilefacenet",
    "conv",
    "linear",
]
Head: TypeAlias = Literal["pooled", "depthwise"]
Pointwise: TypeAlias = Literal["conv", "dense"]
Stem: TypeAlias = Literal["half", "full"]
Loss: TypeAlias = Literal["contrastive", "triplet", "cosine_softmax", "cross_entropy"]
Optimizer: TypeAlias = Literal["adamw", "sgd"]
Augment: TypeAlias = Literal["auto", "none", "light", "strong", "affine"]
Keep: TypeAlias = Literal["best", "last"]
ClassWeight: TypeAlias = Literal["none", "balanced"]


_EXPANDED = tuple(
    name
    for name in get_args(Backbone)
    if name not in ("resnet50", "mobilenet_v1", "conv", "linear")
)
"""Families of inverted residuals, which widen what enters them."""
_GIVEN = OnlyWith("architecture", (None,))
"""Of ``distill``: a search chooses where it is ``search``."""

_SCALED = ("mobilenet_v1", *_EXPANDED, "conv")
_CONVOLUTIONAL = ("resnet50", *_SCALED)


ResidualCount: TypeAlias = Annotated[int, Field(ge=0, le=16)]


@dataclass(frozen=True, kw_only=True)
class Network:
    """What a network is built of.

    Attributes:
        backbone: resnet50: 23.5 million parameters (arXiv:1512.03385), a teacher. mobilenet_v1,
            mobilenet_v2, mobilenet_v3_small and mobilenet_v3_large (arXiv:1704.04861, 1801.04381,
            1905.02244), efficientnet_b0 and efficientnet_lite0 to efficientnet_lite4
            (arXiv:1905.11946; the latter without squeeze-and-excitation) and mobilefacenet
            (arXiv:1804.07573), whose width follows alpha. conv: a few plain convolutions whose
            width follows alpha or widths, for small images. linear: one matrix, of at most 1,024
            numbers of an image unless resolution says how many; train fits it in seconds.
        alpha: Width of all but resnet50 and linear against the usual one, factor.
        widths: Channels of each block of conv, in place of alpha; a block halves the map while
            more than 2 pixels are left, as in ``[16, 32, 48, 48]``.
        stem: Whether the first block of widths halves the map (half), or leaves it as large as the
            image (full): few weights, more computing.
        residuals: Residual convolutions (arXiv:1512.03385) behind each block of widths, count each,
            such as ``[0, 1, 1, 0]``: y = relu(x + norm(conv(x))); None goes without.
        depth: Blocks of a stage against the usual number, factor; of conv convolutions of a block.
        expansion: Channels inside an inverted residual that widens them, against those that enter
            it, factor; None takes those of the paper.
        head: pooled: the mean of the last map. depthwise: a weighted sum, each place of the map
            with weights of its own, where it matters where something is. None takes depthwise for
            mobilefacenet, else pooled.
        pointwise: conv, or dense: convolutions of 1 x 1 as Dense on the map, so that weights of 4
            bits run fast; the same numbers.
        resolution: Pixels of the shorter side that the network looks at, at most those of the
            images, which it shrinks itself; None takes all.
        embedding_norm: Whether a batch norm without scale and offset ends the network, which
            spreads embeddings evenly (verification).
        dropout: Share of the features that training hides from the head.
        batch_norm_momentum: Momentum of the batch norms' moving statistics.
    """

    backbone: Annotated[Backbone, _GIVEN] = "resnet50"
    alpha: Annotated[
        WidthFactor, _GIVEN, OnlyWith("backbone", _SCALED), OnlyWith("widths", (None,))
    ] = 1.0
    widths: Annotated[list[ChannelCount] | None, _GIVEN, OnlyWith("backbone", ("conv",))] = None
    stem: Annotated[Stem, _GIVEN, OnlyWith("backbone", ("conv",))] = "half"
    residuals: Annotated[list[ResidualCount] | None, _GIVEN, OnlyWith("backbone", ("conv",))] = None
    depth: Annotated[DepthFactor, _GIVEN, OnlyWith("backbone", _SCALED)] = 1.0
    expansion: Annotated[Expansion | None, _GIVEN, OnlyWith("backbone", _EXPANDED)] = None
    head: Annotated[Head | None, _GIVEN, OnlyWith("backbone", _CONVOLUTIONAL)] = None
    pointwise: Annotated[Pointwise, _GIVEN, OnlyWith("backbone", _CONVOLUTIONAL)] = "conv"
    resolution: Annotated[Annotated[ImageSide, Field(ge=4)] | None, _GIVEN] = None
    embedding_norm: Annotated[bool, _GIVEN] = False
    dropout: Annotated[Share, _GIVEN] = 0.0
    batch_norm_momentum: Annotated[Share, _GIVEN] = 0.9


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
        augment: light and strong: how much images are turned, moved, lit and covered. affine:
            they are turned, zoomed, sheared and moved further than that, and nothing else; for
            drawings and letters. auto: none where a classifier learns from labels alone for fewer
            than 1,500 steps, which are too few to learn more than the images as they are; light
            otherwise.
        flip: Mirror half of the images. Right for faces and most objects, wrong for digits.
        turns: Whether the quarter turns of an identity are identities of their own in training,
            which gives four times as many, and makes an epoch four times as long; for letters and
            symbols, on square images (verification).
        mirrors: Whether mirror images are identities of their own, too, which doubles all of that;
            not where mirror images show the same, as faces do (verification).
    """

    augment: Augment = "auto"
    flip: bool = False
    turns: bool = False
    mirrors: bool = False


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
