"""How a network is trained: the choices, named once for train and distill; no frameworks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from components.backbones import Backbone

Loss: TypeAlias = Literal["contrastive", "triplet", "cosine_softmax", "cross_entropy"]
Optimizer: TypeAlias = Literal["adamw", "sgd"]
Augment: TypeAlias = Literal["none", "light", "strong"]
Keep: TypeAlias = Literal["best", "last"]

Share: TypeAlias = Annotated[float, Field(ge=0, lt=1)]
"""A part of a whole that is never all of it."""

Several: TypeAlias = Annotated[int, Field(ge=2, le=2**53)]
"""A count of what can only be compared with another of its kind."""


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
