"""How weights are made few values: the settings of ``clustering``; no frameworks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from components.artifacts.promises import SharedPer
from components.contract.types import OnlyWith

Initialization: TypeAlias = Literal["k-means++", "density", "linear"]


@dataclass(frozen=True, kw_only=True)
class ClusteringSettings:
    """Which values the weights of a layer may have.

    Attributes:
        method: centroids: values that k-means finds. grid: equal steps for each output channel, as
            int8 files have 255 of, so that few of these occur.
        clusters: Different values of a layer or channel, count, 0 of pruned weights included.
        initialization: Where k-means begins: k-means++ draws values far from each other, density
            takes as many weights for each, linear takes equal steps.
        per: layer: weights share values, which suits float files. channel: they share shares of
            their channel's largest weight, which suits int8 files, where each channel has a scale.
        bits: Of the grid: 2 to the power of these, less one, values for each channel.
    """

    method: Literal["centroids", "grid"] = "centroids"
    clusters: Annotated[int, Field(ge=4, le=256), OnlyWith("method", ("centroids",))] = 16
    initialization: Annotated[Initialization, OnlyWith("method", ("centroids",))] = "k-means++"
    per: Annotated[SharedPer, OnlyWith("method", ("centroids",))] = "layer"
    bits: Annotated[int, Field(ge=2, le=8), OnlyWith("method", ("grid",))] = 4
