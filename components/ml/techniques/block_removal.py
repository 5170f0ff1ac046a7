"""Removing residual blocks: the least important ones, until the costs of a network are low."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from components.artifacts.model import ModelInfo
from components.ml.graphs.costs import Costs, CostValue, costs_of, layer_costs, total_of
from components.ml.graphs.residual_blocks import (
    ResidualBlock,
    reasons_to_stay,
    residual_blocks,
    without_blocks,
)
from components.ml.techniques.channel_settings import StructureSettings
from components.ml.techniques.structure_importance import block_scores


class BlockRemoval:
    """What can be removed of a network, and what has been.

    Args:
        model: Functional and flat, before anything is removed.
        settings: What is removed, by what and until when.
        info: Of the network.
        value: What is to become less.
    """

    METHOD: ClassVar = "layers"

    def __init__(
        self, model: Any, settings: StructureSettings, info: ModelInfo, value: CostValue
    ) -> None:
        self._model, self._settings, self._info = model, settings, info
        self._value = value
        self._blocks = residual_blocks(model)
        self._scores: dict[str, float] = {}

    def least(self) -> int:
        """Return the least that the target can come down to."""
        return self._value(_costs_without(self._model, self._blocks))

    def reasons(self) -> list[str]:
        """Return why what cannot be removed stays."""
        kept = [f"{name}: {reason}" for name, reason in reasons_to_stay(self._model).items()]
        return kept or ["no layer of it adds two tensors"]

    def reduced(self, model: Any, goal: int, images: Iterable[np.ndarray], seed: int) -> Any:
        """Return the network without as many of its least important blocks as the goal takes.

        Args:
            model: As it is by now.
            goal: Highest value of the target.
            images: Batches ``bhwc`` that importance is judged by.
            seed: See ``structure_importance``.
        """
        blocks = residual_blocks(model)
        scores = block_scores(model, blocks, self._settings.importance, images, self._info, seed)
        self._scores |= {
            block.addition: float(score) for block, score in zip(blocks, scores, strict=True)
        }
        removed: list[ResidualBlock] = []
        for place in np.argsort(scores, kind="stable"):
            if self._value(_costs_without(model, removed)) <= goal:
                break
            removed.append(blocks[place])
        for block in removed[::-1]:  # the last one may have made an earlier one needless
            others = [other for other in removed if other is not block]
            if self._value(_costs_without(model, others)) <= goal:
                removed = others
        pruned = without_blocks(model, removed)
        expected, found = _costs_without(model, removed), costs_of(pruned)
        assert expected == found, f"{expected} was expected of what became {found}"
        return pruned

    def report(self, pruned: Any) -> dict[str, object]:
        """Return what became of every block, and which additions end none."""
        left = {layer.name for layer in pruned.layers}
        costs = {each.name: each for each in layer_costs(self._model)}
        return {
            "blocks": [
                {
                    "addition": block.addition,
                    "layers": list(block.layers),
                    "macs": sum(costs[name].macs for name in block.layers),
                    "parameters": sum(costs[name].parameters for name in block.layers),
                    "importance": self._scores[block.addition],
                    "removed": block.addition not in left,
                }
                for block in self._blocks
            ],
            "frozen": reasons_to_stay(self._model),
        }


def _costs_without(model: Any, blocks: Sequence[ResidualBlock]) -> Costs:
    gone = {name for block in blocks for name in block.layers}
    return total_of([each for each in layer_costs(model) if each.name not in gone])
