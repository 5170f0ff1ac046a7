"""Nested models made flat: pruning and quantization look at layers, and not inside of models."""

from __future__ import annotations

from typing import Any

from components.ml.runtime import tf_keras


def flattened(model: Any, image_shape: tuple[int, int, int]) -> Any:
    """Return the same function and weights as one functional model of plain layers.

    A model that is that already, for any number of images of this size, is returned as it is.

    Args:
        model: A Sequential or functional ``tf_keras`` model with one input and one output.
        image_shape: Height, width and channels, where the model leaves them open.
    """
    nested = any(isinstance(layer, tf_keras.Model) for layer in model.layers)
    sequential = isinstance(model, tf_keras.Sequential)
    if not nested and not sequential and tuple(model.inputs[0].shape) == (None, *image_shape):
        return model
    image = tf_keras.Input(image_shape, name="image")
    copies = _Copies()
    output = _applied(model, image, "", copies)
    flat = tf_keras.Model(image, output, name=model.name)
    copies.fill()
    return flat


class _Copies:
    """Copies of layers: one for each layer, however often it is called."""

    def __init__(self) -> None:
        self._copies: dict[int, tuple[Any, Any]] = {}

    def of(self, layer: Any, prefix: str) -> Any:
        """Return the copy of a layer; the prefix tells equal names in two models apart."""
        if id(layer) not in self._copies:
            name = f"{prefix}{layer.name}"
            copy = type(layer).from_config({**layer.get_config(), "name": name})
            self._copies[id(layer)] = (layer, copy)
        return self._copies[id(layer)][1]

    def fill(self) -> None:
        """Give the copies their weights, now that they are built."""
        for layer, copy in self._copies.values():
            copy.set_weights(layer.get_weights())


def _applied(model: Any, image: Any, prefix: str, copies: _Copies) -> Any:
    """Call copies of a model's layers on another tensor, and return the output."""
    tensors = {str(id(model.inputs[0])): image}
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
                output = _applied(layer, arguments[0], f"{prefix}{layer.name}_", copies)
            else:
                output = copies.of(layer, prefix)(*arguments, **keywords)
            tensors[node.flat_output_ids[0]] = output
    return tensors[str(id(model.outputs[0]))]
