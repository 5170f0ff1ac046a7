"""How a network is trained: the choices, named once for train and distill; no frameworks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Backbone: TypeAlias = Literal["resnet50", "mobilenet_v2", "conv"]
"""resnet50: 23.5 million parameters (arXiv:1512.03385), a teacher. mobilenet_v2: inverted
residuals whose width follows ``alpha`` (arXiv:1801.04381), a student. conv: a few plain
convolutions whose width follows ``alpha``, for small pictures such as 8 x 8 digits."""

Loss: TypeAlias = Literal["contrastive", "triplet", "cosine_softmax", "cross_entropy"]
Optimizer: TypeAlias = Literal["adamw", "sgd"]
Augment: TypeAlias = Literal["none", "light", "strong"]
Keep: TypeAlias = Literal["best", "last"]


@dataclass(frozen=True)
class Tower:
    """What a network is built of; ``train`` says what these parameters mean."""

    backbone: Backbone
    alpha: float
    dropout: float
    batch_norm_momentum: float


@dataclass(frozen=True)
class Target:
    """What is made small when learning from labels; ``train`` says what these parameters mean."""

    loss: Loss | None
    margin: float | None
    scale_of_cosines: float
    contrast_weight: float
    label_smoothing: float


@dataclass(frozen=True)
class Guidance:
    """What a guide does beside the labels; ``train`` says what these parameters mean."""

    guide_weight: float
    mixes: int


@dataclass(frozen=True)
class Transfer:
    """How the teacher is learned from; ``distill`` says what these parameters mean."""

    temperature: float
    soft_weight: float
    embedding_weight: float
    relational_weight: float
    similarity_weight: float
    label_weight: float
    views: int
    mixes: int


@dataclass(frozen=True)
class Recipe:
    """The training loop's part of a component's parameters; ``train`` says what they mean."""

    epochs: int
    batch: int
    identities_per_batch: int
    images_per_identity: int
    optimizer: Optimizer
    learning_rate: float
    weight_decay: float
    warmup_epochs: float
    clip_norm: float
    averaging: float
    patience: int | None
    keep: Keep
    augment: Augment
    flip: bool
    seed: int
