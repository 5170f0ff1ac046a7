"""The settings of an architecture search; no frameworks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from components.contract.types import (
    BatchSize,
    ChannelCount,
    DepthFactor,
    Expansion,
    ImageSide,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    Several,
    VectorLength,
    WidthFactor,
)
from components.ml.settings import Head, Optimization, ResidualCount, Stem

SearchedBackbone: TypeAlias = Literal[
    "conv",
    "mobilenet_v1",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "mobilenet_v3_large",
    "efficientnet_b0",
    "efficientnet_lite0",
    "mobilefacenet",
]

NAMES = ("backbone", "head", "stem")
"""Keys whose choices are names, which have no order."""

WITHOUT_EXPANSION = ("conv", "mobilenet_v1")
"""Backbones that ``expansion`` means nothing for."""

_USUAL: Mapping[str, tuple[object, ...]] = {
    "backbone": ("conv", "mobilenet_v1", "mobilenet_v2"),
    "alpha": (0.0625, 0.125, 0.1875, 0.25, 0.375, 0.5, 0.75, 1.0),
    "depth": (0.5, 1.0, 2.0),
    "expansion": (2.0, 4.0, 6.0),
    "head": ("pooled", "depthwise"),
    "embedding": (32, 64, 128),
}
_HALF_LEAST = 16
"""Pixels of the shorter side that half the resolution has to leave to be tried by itself."""

_Some = Field(min_length=1)


@dataclass(frozen=True, kw_only=True)
class SearchSpace:
    """What architectures are made of: every key lists what may be chosen.

    Attributes:
        backbone: Names, as in ``distill``. None takes conv, mobilenet_v1 and mobilenet_v2.
        alpha: Widths against the usual one. None takes 0.0625 to 1.
        widths: Channels of each block of conv, one list an architecture, in place of its alpha.
        stem: Whether the first block of widths halves the map: half, full. None takes half.
        residuals: Residual convolutions behind each block of widths, one list an architecture with
            a number for each block, such as ``[[0, 0, 0], [0, 1, 1]]``; lists of another length
            belong to widths of that many blocks. None takes none.
        depth: Blocks of a stage against the usual number. None takes 0.5, 1 and 2.
        expansion: Channels inside an inverted residual against those that enter it. None takes 2, 4
            and 6.
        head: pooled, depthwise. None takes both.
        resolution: Pixels of the shorter side that the network looks at. None takes all, and half
            of them where that leaves 16.
        embedding: Numbers in the embedding (verification). None takes 32, 64 and 128.
        embedding_norm: Whether a batch norm without scale and offset ends all of them
            (verification).
    """

    backbone: Annotated[list[SearchedBackbone], _Some] | None = None
    alpha: Annotated[list[WidthFactor], _Some] | None = None
    widths: Annotated[list[Annotated[list[ChannelCount], _Some]], _Some] | None = None
    stem: Annotated[list[Stem], _Some] | None = None
    residuals: Annotated[list[Annotated[list[ResidualCount], _Some]], _Some] | None = None
    depth: Annotated[list[DepthFactor], _Some] | None = None
    expansion: Annotated[list[Expansion], _Some] | None = None
    head: Annotated[list[Head], _Some] | None = None
    resolution: Annotated[list[Annotated[ImageSide, Field(ge=4)]], _Some] | None = None
    embedding: Annotated[list[VectorLength], _Some] | None = None
    embedding_norm: bool = False

    def listed(self, key: str) -> tuple[object, ...]:
        """Return what may be chosen for a key, in ascending order where there is one."""
        given: Sequence[object] | None = getattr(self, key)
        chosen = tuple(_USUAL[key]) if given is None else tuple(dict.fromkeys(map(_plain, given)))
        return chosen if key in NAMES else tuple(sorted(chosen, key=_order))

    def choices(self, backbone: str, shorter_side: int) -> Mapping[str, tuple[object, ...]]:
        """Return what may be chosen for every setting of a network but embedding and residuals.

        Args:
            backbone: Which one.
            shorter_side: Pixels of the images.
        """
        found: dict[str, tuple[object, ...]] = {}
        if backbone == "conv" and self.widths:
            found["widths"] = self.listed("widths")
            if self.stem:
                found["stem"] = self.listed("stem")
        else:
            found["alpha"] = self.listed("alpha")
        found["depth"] = self.listed("depth")
        if backbone not in WITHOUT_EXPANSION:
            found["expansion"] = self.listed("expansion")
        found["head"] = self.listed("head")
        found["resolution"] = self.resolutions(shorter_side)
        return found

    def residuals_behind(self, blocks: int) -> tuple[object, ...]:
        """Return the residual convolutions that widths of so many blocks may have behind each."""
        listed = self.listed("residuals") if self.residuals else ()
        return tuple(one for one in listed if isinstance(one, tuple) and len(one) == blocks)

    def resolutions(self, shorter_side: int) -> tuple[object, ...]:
        """Return the resolutions for images of this size; None is all of their pixels."""
        if self.resolution is None:
            half = shorter_side // 2
            return (half, None) if half >= _HALF_LEAST else (None,)
        fitting = {side for side in self.resolution if side <= shorter_side}
        return tuple(None if side == shorter_side else side for side in sorted(fitting))


def _plain(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _order(value: object) -> tuple[float, ...]:
    return tuple(map(float, value)) if isinstance(value, tuple) else (float(str(value)),)


@dataclass(frozen=True, kw_only=True)
class SearchPlan:
    """How long is searched.

    Attributes:
        candidates: Architectures within the budgets that are trained, count.
        steps: Lengths of the trainings, in steps, each longer than the one before. Everybody is
            trained for the first; who is among the best third, for the next, from the start.
    """

    candidates: Annotated[int, Field(ge=2, le=10_000)] = 30
    steps: Annotated[list[PositiveInt], _Some] | None = None

    @property
    def lengths(self) -> tuple[int, ...]:
        """The lengths of the trainings."""
        return tuple(self.steps or (80, 320, 800))


@dataclass(frozen=True, kw_only=True)
class SearchTraining:
    """How candidates are trained; the learning rate falls as half a cosine over each training.

    Attributes:
        batch: Images per step, count (classification).
        learning_rate: Its peak.
        identities_per_batch: P, count, at least 2; at most as many as there are (verification).
        images_per_identity: K, count, at least 2; small identities repeat (verification).
        weight_decay: Share by which a step shrinks the kernels, times the learning rate.
    """

    batch: BatchSize = 32
    learning_rate: PositiveFloat = 3e-3
    identities_per_batch: Several = 8
    images_per_identity: Several = 4
    weight_decay: NonNegativeFloat = 0.05

    def optimization(self, epochs: int) -> Optimization:
        """Return the settings of a training of so many epochs."""
        return Optimization(
            epochs=epochs,
            batch=self.batch,
            learning_rate=self.learning_rate,
            keep="last",
            identities_per_batch=self.identities_per_batch,
            images_per_identity=self.images_per_identity,
            weight_decay=self.weight_decay,
        )
