"""Weights that a backbone starts from: a local file, matched by the names of layers.

Shapes: h rows, w columns, c channels, f filters.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from components.contract.errors import UserError
from components.contract.source import Source
from components.ml.formats import hdf5, model_folder

_FIX = (
    "give the weights of this backbone as Keras 2 wrote them (save_weights('x.h5'), or the "
    "'notop' file of keras.applications), or safetensors with the names of slimline's own Models"
)


def load(model: Any, source: Path) -> str:
    """Set the backbone of a network from a file; its head stays as it is.

    A first convolution for colour serves grey images too: its kernels are summed over the
    channels, which answers to grey as the three did to equal red, green and blue.

    Args:
        model: From ``backbones.with_head``.
        source: A staged Source of one file.

    Returns:
        One sentence on what was taken, for the model's info.

    Raises:
        UserError: Not such a file, a layer missing in it, or a shape that differs.
    """
    opened = Source.open(source)
    if len(opened.files) != 1:
        raise UserError(f"weights are one file, and {len(opened.files)} were given", _FIX)
    name, path = opened.files[0].name, opened.verified(opened.files[0])
    arrays = _hdf5(path, name) if name.endswith((".h5", ".hdf5")) else _safetensors(path, name)
    head = model.layers[-1].name
    missing: list[str] = []
    taken = 0
    for layer in model.layers:
        if not layer.weights or layer.name == head:
            continue
        found = [arrays.get(weight.name.removesuffix(":0")) for weight in layer.weights]
        if any(array is None for array in found):
            missing.append(layer.name)
            continue
        layer.set_weights(
            [
                _fitted(array, tuple(weight.shape), f"{name}: {weight.name}")
                for array, weight in zip(found, layer.weights, strict=True)
                if array is not None
            ]
        )
        taken += 1
    if missing:
        raise UserError(
            f"{name} has no weights for {len(missing)} of {taken + len(missing)} layers of "
            f"{model.name}, such as {missing[0]!r}; it has {', '.join(sorted(arrays)[:3])}, ...",
            _FIX,
        )
    return f"backbone from {name} (sha256 {opened.files[0].sha256[:12]})"


def _fitted(array: np.ndarray, shape: tuple[int, ...], where: str) -> np.ndarray:
    """Return the array when it has the shape, or can be summed from colour to grey."""
    if array.shape == shape:
        return array
    grey = (*shape[:2], 3, *shape[3:])
    if len(shape) == 4 and shape[2] == 1 and array.shape == grey:
        return array.sum(axis=2, keepdims=True, dtype=np.float32)
    raise UserError(f"{where} is {array.shape}, and the backbone needs {shape}", _FIX)


def _safetensors(path: Path, name: str) -> dict[str, np.ndarray]:
    if not name.endswith(".safetensors"):
        raise UserError(f"{name} is neither .h5 nor .safetensors", _FIX)
    return model_folder.load_arrays(path)


def _hdf5(path: Path, name: str) -> dict[str, np.ndarray]:
    """Read the weights of all layers of a Keras 2 file: data alone, no configuration."""
    with hdf5.opened(path, name) as file:
        root: Any = file.get("model_weights", file)
        if not {"layer_names", "layer_names0"} & set(root.attrs):
            raise UserError(
                f"{name} has no list of layers, so it is no file of Keras weights", _FIX
            )
        layers = [root[layer] for layer in hdf5.texts(root, "layer_names")]
        return {
            key.removesuffix(":0"): np.asarray(layer[key], np.float32)
            for layer in layers
            for key in hdf5.texts(layer, "weight_names")
        }
