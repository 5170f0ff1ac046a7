"""The calls of a flat model's layers, in the order in which they are computed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from components.ml.runtime import tf, tf_keras


@dataclass(frozen=True, eq=False)
class LayerCall:
    """One call of one layer.

    Attributes:
        layer: The layer; one that is shared is called several times.
        inputs: Keras tensors that go in.
        outputs: Keras tensors that come out.
    """

    layer: Any
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """Shape of the first output without the axis of the images."""
        return tuple(self.outputs[0].shape[1:])

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """Shape of the first input without the axis of the images."""
        return tuple(self.inputs[0].shape[1:])


def nodes_of(model: Any) -> Iterator[Any]:
    """Yield Keras' own record of every call, those of the input layers too, after what it reads.

    Args:
        model: Functional and flat: see ``flattening``.

    Raises:
        AssertionError: A layer of it is a model itself, whose layers would be missed.
    """
    # Keras has no public way to ask how the layers of a model are connected.
    by_depth = model._nodes_by_depth  # noqa: SLF001
    for depth in sorted(by_depth, reverse=True):
        for node in by_depth[depth]:
            assert not isinstance(node.layer, tf_keras.Model), f"{model.name} is not flat"
            yield node


def calls_of(model: Any) -> Iterator[LayerCall]:
    """Yield every call but those of the input layers, after what it reads; see ``nodes_of``."""
    for node in nodes_of(model):
        if not node.is_input:
            yield LayerCall(
                node.layer, tuple(node.keras_inputs), tuple(tf.nest.flatten(node.outputs))
            )
