"""Sparsity: the zeros of every layer, before and after, held against the target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from components.ml.runtime import tf_keras
from components.ml.techniques.tfmot_wrapping import prunable, reason_to_skip

_ROUNDING = 1e-6
"""Share of a layer by which the framework's 32-bit arithmetic may miss a count."""

Kernels: TypeAlias = dict[str, tuple[Any, list[np.ndarray]]]
"""Layers by name, each with the values of its weights of two dimensions or more."""


@dataclass(frozen=True)
class Layer:
    """What became of one layer with weights of two dimensions or more.

    Attributes:
        name: Of the layer; nested models are joined by slashes.
        kind: Class of the layer.
        weights: Count of numbers in its kernels.
        zeros_before: Of these, before.
        zeros_after: Of these, afterwards.
        sparsity_before: Share, 0 to 1.
        sparsity_after: Share, 0 to 1.
        skipped: Why it was left alone, or None.
    """

    name: str
    kind: str
    weights: int
    zeros_before: int
    zeros_after: int
    sparsity_before: float
    sparsity_after: float
    skipped: str | None


def kernels_of(model: Any) -> Kernels:
    """Return every layer with weights of two dimensions or more by its name, with their values.

    Of a layer that can be pruned only the weights that are pruned count; a layer that is used
    twice is there once.
    """
    found: Kernels = {}
    seen: set[int] = set()

    def collect(parent: Any, prefix: str) -> None:
        for layer in parent.layers:
            if isinstance(layer, tf_keras.Model):
                collect(layer, f"{prefix}{layer.name}/")
            elif id(layer) not in seen:
                seen.add(id(layer))
                wide = [weight for weight in layer.weights if len(weight.shape) > 1]
                kernels = [weight.numpy() for weight in prunable(layer) or wide]
                if kernels:
                    found[f"{prefix}{layer.name}"] = (layer, kernels)

    collect(model, "")
    return found


def with_zeros(model: Any, sparsity: float) -> list[np.ndarray]:
    """Return a model's weights with the smallest of each layer that is pruned at 0, all at once.

    Args:
        model: Left as it is.
        sparsity: Share of each of these layers, 0 to 1.
    """
    whole = model.get_weights()
    for layer, _ in kernels_of(model).values():
        for kernel in prunable(layer) if reason_to_skip(layer) is None else ():
            values = kernel.numpy()
            zeros = values.size - max(round(values.size * (1 - sparsity)), 1)
            flat = values.reshape(-1)
            flat[np.argsort(np.abs(flat), kind="stable")[:zeros]] = 0
            kernel.assign(flat.reshape(values.shape))
    zeroed = model.get_weights()
    model.set_weights(whole)
    return zeroed


def compare(before: Kernels, after: Kernels) -> tuple[Layer, ...]:
    """Return what became of every layer.

    Args:
        before: Of the model as it came.
        after: Of the same architecture with other weights, without any wrapper.
    """
    assert before.keys() == after.keys(), f"layers: {sorted(before.keys() ^ after.keys())}"
    rows: list[Layer] = []
    for name, (layer, kernels) in before.items():
        weights = sum(kernel.size for kernel in kernels)
        zeros = [
            sum(int((kernel == 0).sum()) for kernel in side[name][1]) for side in (before, after)
        ]
        rows.append(
            Layer(
                name=name,
                kind=type(layer).__name__,
                weights=weights,
                zeros_before=zeros[0],
                zeros_after=zeros[1],
                sparsity_before=zeros[0] / weights,
                sparsity_after=zeros[1] / weights,
                skipped=reason_to_skip(layer),
            )
        )
    return tuple(rows)


def refuse(layers: Sequence[Layer], sparsity: float) -> None:
    """Hold every layer that was to be pruned against the target.

    Raises:
        AssertionError: One has fewer zeros than it must have.
    """
    for layer in layers:
        least = layer.weights * (sparsity - _ROUNDING) - 1
        assert layer.skipped or layer.zeros_after >= least, (
            f"{layer.name} has {layer.zeros_after} zeros of {layer.weights}, which is "
            f"{layer.sparsity_after:.4f} and not {sparsity}"
        )


def overall(layers: Sequence[Layer]) -> float:
    """Return the share of 0 in all weights of two dimensions or more, skipped layers included."""
    return sum(layer.zeros_after for layer in layers) / sum(layer.weights for layer in layers)
