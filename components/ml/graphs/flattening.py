"""Nested models made flat: pruning and quantization look at layers, and not inside of models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from components.ml.runtime import tf, tf_keras

_INPUT = "image"


def flattened(
    model: Any,
    image_shape: tuple[int, int, int],
    before: Callable[[Any], Any] | None = None,
) -> Any:
    """Return the same function and weights as one functional model of plain layers.

    A model that is that already, for any number of images of this size, is returned as it is.

    Args:
        model: A Sequential or functional ``tf_keras`` model with one input and one output; models
            inside it may have several of each.
        image_shape: Height, width and channels, where the model leaves them open.
        before: What is done to the image before the model, on Keras tensors.
    """
    nested = any(isinstance(layer, tf_keras.Model) for layer in model.layers)
    sequential = isinstance(model, tf_keras.Sequential)
    fits = tuple(model.inputs[0].shape) == (None, *image_shape)
    if not nested and not sequential and fits and not before:
        return model
    image = tf_keras.Input(image_shape, name=_INPUT)
    copies = _Copies()
    (output,) = _applied(model, [before(image) if before else image], "", copies)
    flat = tf_keras.Model(image, output, name=model.name)
    copies.fill()
    return flat


class _Copies:
    """Copies of layers: one for each layer, however often it is called."""

    def __init__(self) -> None:
        self._copies: dict[int, tuple[Any, Any]] = {}
        self._names = {_INPUT}

    def of(self, layer: Any, prefix: str) -> Any:
        """Return the copy of a layer; the prefix tells equal names in two models apart."""
        if id(layer) not in self._copies:
            name = self._unused(f"{prefix}{layer.name}")
            copy = type(layer).from_config({**layer.get_config(), "name": name})
            self._copies[id(layer)] = (layer, copy)
        return self._copies[id(layer)][1]

    def _unused(self, name: str) -> str:
        """Return the name, or that with a number where joining has made it twice."""
        number, unused = 1, name
        while unused in self._names:
            number += 1
            unused = f"{name}_{number}"
        self._names.add(unused)
        return unused

    def fill(self) -> None:
        """Give the copies their weights, now that they are built."""
        for layer, copy in self._copies.values():
            copy.set_weights(layer.get_weights())


def _applied(model: Any, given: Sequence[Any], prefix: str, copies: _Copies) -> list[Any]:
    """Call copies of a model's layers on other tensors.

    Args:
        model: Functional, or Sequential with its shapes known.
        given: One tensor for each of ``model.inputs``.
        prefix: Before the names of copies.
        copies: Made so far.

    Returns:
        One tensor for each of ``model.outputs``.
    """
    tensors = {
        str(id(placeholder)): tensor
        for placeholder, tensor in zip(model.inputs, given, strict=True)
    }
    # Keras has no public way to ask how the layers of a model are connected.
    by_depth = model._nodes_by_depth  # noqa: SLF001
    for depth in sorted(by_depth, reverse=True):
        for node in by_depth[depth]:
            if node.is_input:
                continue
            uses = len(node.flat_input_ids)
            arguments, keywords = node.map_arguments(
                {key: [tensor] * uses for key, tensor in tensors.items()}
            )
            layer = node.layer
            if isinstance(layer, tf_keras.Model):
                # Inputs by name are put into the model's order by Keras itself.
                inner = layer._flatten_to_reference_inputs(arguments[0])  # noqa: SLF001
                outputs = _applied(layer, inner, f"{prefix}{layer.name}_", copies)
            else:
                outputs = tf.nest.flatten(copies.of(layer, prefix)(*arguments, **keywords))
            tensors |= zip(node.flat_output_ids, outputs, strict=True)
    return [tensors[str(id(output))] for output in model.outputs]
