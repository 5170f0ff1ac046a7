"""Weights that a backbone starts from: a local file, matched by the names or the order of layers.

Shapes: h rows, w columns, c channels, f filters.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from components.contract.errors import UserError
from components.contract.source import Source
from components.ml import imagenet
from components.ml.formats import hdf5, model_folder

_Arrays: TypeAlias = dict[str, np.ndarray]

_FIX = (
    "give the weights of this backbone as Keras 2 wrote them (save_weights('x.h5'), or the "
    "'notop' file of keras.applications), or safetensors with the names of slimline's own Models"
)


def load(model: Any, source: Path, *, mean: float = 127.5, scale: float = 127.5) -> str:
    """Set the backbone of a network from a file; its head stays as it is.

    A first convolution for colour serves grey images too: its kernels are summed over the
    channels, which answers to grey as the three did to equal red, green and blue. What was
    trained on another normalization of the pixels than is given (``resnet50`` of
    ``keras.applications``, known by its published hash) is changed in its first convolution, so
    that it answers as before; but for the border, which is padded with 0 all the same.

    Args:
        model: From ``backbones.with_head``.
        source: A staged Source of one file.
        mean: What the network gets: (pixel - mean) / scale, in red, green and blue.
        scale: See ``mean``.

    Returns:
        One sentence on what was taken, for the model's info.

    Raises:
        UserError: Not such a file, a layer missing in it, or a shape that differs.
    """
    opened = Source.open(source)
    if len(opened.files) != 1:
        raise UserError(f"weights are one file, and {len(opened.files)} were given", _FIX)
    name, path = opened.files[0].name, opened.verified(opened.files[0])
    layers = _hdf5(path, name) if name.endswith((".h5", ".hdf5")) else [_safetensors(path, name)]
    backbone = [layer for layer in model.layers[:-1] if layer.weights]
    arrays = _by_name(backbone, layers) or _in_order(backbone, layers)
    if arrays is None:
        raise _missing(model, backbone, layers, name)
    note = f"backbone from {name} (sha256 {opened.files[0].sha256[:12]})"
    if model.name.startswith("resnet50") and _is_published(path):
        _fold(arrays, mean, scale)
        note += ", its first convolution for (pixel - mean) / scale"
    for layer in backbone:
        layer.set_weights(
            [
                _fitted(arrays[weight.name], tuple(weight.shape), f"{name}: {weight.name}")
                for weight in layer.weights
            ]
        )
    return note


def _by_name(backbone: Sequence[Any], layers: Sequence[_Arrays]) -> _Arrays | None:
    """Return the array of every weight, by its name; None when one is not there."""
    merged = {name: array for layer in layers for name, array in layer.items()}
    names = [weight.name for layer in backbone for weight in layer.weights]
    if any(name.removesuffix(":0") not in merged for name in names):
        return None
    return {name: merged[name.removesuffix(":0")] for name in names}


def _in_order(backbone: Sequence[Any], layers: Sequence[_Arrays]) -> _Arrays | None:
    """Return the array of every weight, layer by layer as Keras 2 loads a file of weights.

    The file may call its weights anything, but has to have as many layers, of the same shapes.
    """
    layers = [layer for layer in layers if layer]
    if [len(layer.weights) for layer in backbone] != [len(layer) for layer in layers]:
        return None
    pairs = [
        (weight, array)
        for layer, arrays in zip(backbone, layers, strict=True)
        for weight, array in zip(layer.weights, arrays.values(), strict=True)
    ]
    if any(not _fits(array.shape, tuple(weight.shape)) for weight, array in pairs):
        return None
    return {weight.name: array for weight, array in pairs}


def _missing(
    model: Any, backbone: Sequence[Any], layers: Sequence[_Arrays], name: str
) -> UserError:
    known = {weight for layer in layers for weight in layer}
    missing = [
        layer.name
        for layer in backbone
        if any(weight.name.removesuffix(":0") not in known for weight in layer.weights)
    ]
    return UserError(
        f"{name} has no weights for {len(missing)} of {len(backbone)} layers of {model.name}, such "
        f"as {missing[0]!r}; it has {', '.join(sorted(known)[:3])}, ...",
        _FIX,
    )


def _is_published(path: Path) -> bool:
    """Whether these are the weights of ``resnet50`` that ``keras.applications`` publishes."""
    with path.open("rb") as file:
        md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
    return md5.hexdigest() == imagenet.resnet50_md5()


def _fold(arrays: _Arrays, mean: float, scale: float) -> None:
    """Give the first convolution the normalization that it was trained with.

    It takes blue, green and red, each less its mean, of 0 to 255. Of x = (pixel - mean) / scale
    in red, green and blue it shall make the same.
    """
    (kernel,) = (name for name in arrays if name.startswith("conv1_conv/kernel"))
    (bias,) = (name for name in arrays if name.startswith("conv1_conv/bias"))
    offset_c = mean - np.array(imagenet.BLUE_GREEN_RED_MEANS, np.float32)
    arrays[bias] = arrays[bias] + np.einsum("hwcf,c->f", arrays[kernel], offset_c)
    arrays[kernel] = arrays[kernel][:, :, ::-1] * np.float32(scale)


def _fits(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Whether an array has the shape, or is that of a first convolution for colour."""
    grey = len(wanted) == 4 and wanted[2] == 1 and shape == (*wanted[:2], 3, *wanted[3:])
    return shape == wanted or grey


def _fitted(array: np.ndarray, shape: tuple[int, ...], where: str) -> np.ndarray:
    """Return the array when it has the shape, or summed from colour to grey."""
    if not _fits(array.shape, shape):
        raise UserError(f"{where} is {array.shape}, and the backbone needs {shape}", _FIX)
    if array.shape == shape:
        return array
    return array.sum(axis=2, keepdims=True, dtype=np.float32)


def _safetensors(path: Path, name: str) -> _Arrays:
    if not name.endswith(".safetensors"):
        raise UserError(f"{name} is neither .h5 nor .safetensors", _FIX)
    return model_folder.load_arrays(path)


def _hdf5(path: Path, name: str) -> list[_Arrays]:
    """Read the weights of all layers of a Keras 2 file: data alone, no configuration."""
    with hdf5.opened(path, name) as file:
        root: Any = file.get("model_weights", file)
        if not {"layer_names", "layer_names0"} & set(root.attrs):
            raise UserError(
                f"{name} has no list of layers, so it is no file of Keras weights", _FIX
            )
        layers = [root[layer] for layer in hdf5.texts(root, "layer_names")]
        return [
            {
                key.removesuffix(":0"): np.asarray(layer[key], np.float32)
                for key in hdf5.texts(layer, "weight_names")
            }
            for layer in layers
        ]
