"""Removing channels: the least important ones, until the costs of a network are low enough.

Shapes: u units of channels (see ``graphs/channels.py``).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any, ClassVar

import numpy as np

from components.artifacts.model import ModelInfo
from components.ml.graphs.channel_cutting import cut, deviation, shape_after
from components.ml.graphs.channels import Channels, channels_of, makes_channels
from components.ml.graphs.costs import Costs, CostValue, costs_of
from components.ml.techniques import channel_selection
from components.ml.techniques.channel_settings import StructureSettings
from components.ml.techniques.structure_importance import channel_scores, without_scale

_EXACT = 1e-3
"""Share of the largest answer that float32 may make of sums in another order, in a deep network."""


class ChannelRemoval:
    """What can be removed of a network, and what has been.

    Args:
        model: Functional and flat, before anything is removed.
        settings: What is removed, by what and until when.
        info: Of the network.
        value: What is to become less.
    """

    METHOD: ClassVar = "channels"

    def __init__(
        self, model: Any, settings: StructureSettings, info: ModelInfo, value: CostValue
    ) -> None:
        self._model, self._settings, self._info = model, settings, info
        self._value = value
        self._channels = channels_of(model)
        self._stay = self._reasons(self._channels)
        self._deviation = 0.0

    def least(self) -> int:
        """Return the least that the target can come down to."""
        places = [place for place, reason in enumerate(self._stay) if reason is None]
        keep_u = channel_selection.least(self._channels, places, self._settings.multiple_of)
        return self._value(costs_after(self._model, self._channels, keep_u))

    def reasons(self) -> list[str]:
        """Return why what cannot be removed stays."""
        narrow = f"no layer is wider than multiple_of, {self._settings.multiple_of}"
        frozen = [reason for reason in self._stay if reason]
        return frozen if None not in self._stay else [*frozen, narrow]

    def reduced(self, model: Any, goal: int, images: Iterable[np.ndarray], seed: int) -> Any:
        """Return the network without as many of its least important channels as the goal takes.

        Args:
            model: As it is by now.
            goal: Highest value of the target.
            images: Batches ``bhwc`` that importance is judged by.
            seed: See ``structure_importance``.
        """
        settings, channels = self._settings, channels_of(model)
        first, images = _first(images)
        scores = channel_scores(model, channels, settings.importance, images, self._info, seed)
        stay = self._reasons(channels)
        scores = {place: score for place, score in scores.items() if stay[place] is None}

        def met(keep_u: np.ndarray) -> bool:
            return self._value(costs_after(model, channels, keep_u)) <= goal

        keep_u = channel_selection.selected(channels, scores, settings.multiple_of, met)
        pruned = cut(model, channels, keep_u)
        expected, found = costs_after(model, channels, keep_u), costs_of(pruned)
        assert expected == found, f"{expected} was expected of what became {found}"
        apart = deviation(model, pruned, channels, keep_u, first)
        assert apart < _EXACT, f"the cut network is {apart:.1e} from the one that reads zeros"
        self._deviation = max(self._deviation, apart)
        return pruned

    def report(self, pruned: Any) -> dict[str, object]:
        """Return what became of every group and of every layer that makes channels."""
        reasons = {
            name: reason
            for group, reason in zip(self._channels.groups, self._stay, strict=True)
            for name in group.layers
        }
        return {
            "deviation": self._deviation,
            "groups": [
                {
                    "layers": list(group.layers),
                    "channels": len(group.units_u) * group.channels_per_unit,
                    "frozen": reason,
                }
                for group, reason in zip(self._channels.groups, self._stay, strict=True)
            ],
            "widths": [
                {
                    "layer": layer.name,
                    "kind": type(layer).__name__,
                    "before": layer.get_output_at(0).shape[-1],
                    "after": pruned.get_layer(layer.name).get_output_at(0).shape[-1],
                    "frozen": reasons.get(layer.name),
                }
                for layer in self._model.layers
                if makes_channels(layer)
            ],
        }

    def _reasons(self, channels: Channels) -> list[str | None]:
        """Return for every group why it stays, or None."""
        needed = self._settings.importance == "batch_norm"
        return [
            group.frozen or (without_scale(channels, group) if needed else None)
            for group in channels.groups
        ]


def _first(images: Iterable[np.ndarray]) -> tuple[np.ndarray, Iterable[np.ndarray]]:
    """Return the first batch, and all of them."""
    iterator = iter(images)
    first = next(iterator)
    return first, chain([first], iterator)


def costs_after(model: Any, channels: Channels, keep_u: np.ndarray) -> Costs:
    """Return what a network will cost once channels are cut, without building it."""

    def shape_of(layer: Any, weight: Any) -> tuple[int, ...]:
        each = channels.layers.get(layer.name)
        return tuple(weight.shape) if each is None else shape_after(each, weight, keep_u)

    return costs_of(model, shape_of)
