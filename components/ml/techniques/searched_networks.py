"""The networks of a search space: built, counted, and told apart by what they compute."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from components.artifacts.model import ModelInfo
from components.ml.graphs.costs import costs_of
from components.ml.networks.building import build
from components.ml.runtime import tf_keras
from components.ml.settings import Network


@dataclass(frozen=True)
class CountedNetwork:
    """A network that can be built, and what it computes.

    Attributes:
        network: Its settings.
        info: Of it: what goes in, and the numbers that come out.
        counts: See ``graphs/costs.py``.
        identity: The same for settings that make the same layers, such as a depth of 0.5 and of 1
            where a stage has one block anyway.
    """

    network: Network
    info: ModelInfo
    counts: Mapping[str, int]
    identity: str


def counted(network: Network, info: ModelInfo) -> CountedNetwork:
    """Build a network, count what it computes, and let it go.

    Args:
        network: Its settings.
        info: What goes in and comes out.
    """
    tf_keras.backend.clear_session()
    model = build(network, info)
    identity = hashlib.sha256(model.to_json().encode()).hexdigest()
    return CountedNetwork(network, info, asdict(costs_of(model)), identity)


def name_of(network: Network, outputs: int | None) -> str:
    """Return settings in short, such as ``conv-025-depthwise-e64``.

    Args:
        network: The settings.
        outputs: Numbers in the embedding; None where that is no choice.
    """
    usual = Network()
    words: list[str] = [network.backbone.replace("_", "-")]
    words += map(str, network.widths) if network.widths else [_number(network.alpha)]
    if network.stem != usual.stem:
        words.append(network.stem)
    if network.residuals and any(network.residuals):
        words.append("r" + "".join(map(str, network.residuals)))
    if network.depth != usual.depth:
        words.append(f"d{_number(network.depth)}")
    if network.expansion is not None:
        words.append(f"x{network.expansion:g}".replace(".", ""))
    if network.head:
        words.append(network.head)
    if network.resolution:
        words.append(f"{network.resolution}px")
    if outputs:
        words.append(f"e{outputs}")
    return "-".join(words)


def _number(value: float) -> str:
    """Return a factor as names have it: 0.25 as ``025``, 0.0625 as ``00625``, 1 as ``10``."""
    return f"{value:.4f}".rstrip("0").replace(".", "") + ("0" if value == int(value) else "")


def settings_of(network: Network) -> dict[str, Any]:
    """Return the settings that are not the usual ones, and the backbone."""
    usual = asdict(Network())
    return {
        name: value
        for name, value in asdict(network).items()
        if name == "backbone" or value != usual[name]
    }
