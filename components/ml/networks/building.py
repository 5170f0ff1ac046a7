"""Building: from a dataset to an untrained network that fits it."""

from __future__ import annotations

from typing import Any

from components.artifacts.dataset import Dataset
from components.artifacts.model import Embedding, ImageInput, ModelInfo, Scores
from components.ml.networks import backbones
from components.ml.settings import Network


def info_of(data: Dataset, embedding: int, mean: float, scale: float) -> ModelInfo:
    """Return the info of a network for this dataset; its parameters are counted when saved."""
    info = data.info
    verification = info.task == "verification"
    return ModelInfo(
        task=info.task,
        input=ImageInput(*info.shape, mean, scale),
        output=Embedding(embedding) if verification else Scores(info.classes),
        parameters=0,
    )


def build(network: Network, info: ModelInfo) -> Any:
    """Build the untrained network that an info describes."""
    return backbones.build(network, info.image_shape, info.output.kind, info.output.size)


def network_in_step(network: Network, architecture: str | None = None) -> dict[str, object]:
    """Return what the step of a Model's history tells of the network that it made.

    Args:
        network: What it is built of.
        architecture: What a search calls it that found it; None where it was given.
    """
    told: dict[str, object] = {"backbone": network.backbone, "alpha": network.alpha}
    if architecture is not None:
        told["architecture"] = architecture
    for name in ("widths", "residuals"):
        if (value := getattr(network, name)) is not None:
            told[name] = value
    if network.stem != "half":
        told["stem"] = network.stem
    return told
