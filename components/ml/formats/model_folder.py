"""The Model artifact: what every step reads and writes of a network.

Two runs write the same bytes: ``saved_model/fingerprint.pb``, which is random, is left out, and
``.keras`` files, which hold the date, are not used.

Shapes: b images, h rows, w columns, c channels, d numbers of the output.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from components.artifacts.model import ModelInfo
from components.contract.digests import canonical_json
from components.contract.errors import UserError
from components.ml.formats.saved_model_bytes import renumber
from components.ml.networks import architecture
from components.ml.runtime import tf

ARCHITECTURE = "architecture.json"
WEIGHTS = "weights.safetensors"
PROGRAM = "saved_model"
SIGNATURE = "serving_default"
INPUT = "image"


def save(path: Path, model: Any, info: ModelInfo) -> None:
    """Write the Model tree of a Keras model.

    Args:
        path: The folder to make.
        model: A ``tf_keras`` model that takes one normalized batch ``bhwc`` and returns ``bd``.
            Its weights count as they are; no optimizer is kept.
        info: Goes into ``model.json``; count of parameters and ``trainable`` are set here.
    """
    path.mkdir(parents=True, exist_ok=True)
    (path / ARCHITECTURE).write_bytes(canonical_json(json.loads(model.to_json())))
    save_file(
        {
            # Not ascontiguousarray, which makes a list of one of a number.
            name: np.asarray(value, order="C")
            for name, value in zip(_names(model.weights), model.get_weights(), strict=True)
        },
        path / WEIGHTS,
    )
    export(path, lambda image_bhwc: model(image_bhwc, training=False), model.weights, info)
    replace(info.counted(int(model.count_params())), trainable=True).write(path)


def export(path: Path, function: Callable[[Any], Any], held: Any, info: ModelInfo) -> None:
    """Write ``saved_model/``: from "image" ``1hwc`` to "embedding" or "scores" ``1d``.

    Args:
        path: The Model's folder.
        function: From a normalized float32 tensor to the output.
        held: What ``function`` reads: its variables, or the loaded program that has them. (Not
            the Keras model: Keras would then trace each of its layers, which takes 15 s.)
        info: Gives the shape of the image and the name of the output.
    """
    module = tf.Module()
    module.held = held
    name = info.output.kind

    @tf.function(
        input_signature=[tf.TensorSpec((1, *info.image_shape), tf.float32, name=INPUT)],
        autograph=False,
    )
    def serve(image: Any) -> dict[str, Any]:
        return {name: function(image)}

    tf.saved_model.save(
        module,
        str(path / PROGRAM),
        signatures={SIGNATURE: serve},
        options=tf.saved_model.SaveOptions(experimental_custom_gradients=False),
    )
    (path / PROGRAM / "fingerprint.pb").unlink(missing_ok=True)
    renumber(path / PROGRAM / "saved_model.pb")


def load(path: Path, purpose: str = "trained further") -> tuple[Any, ModelInfo]:
    """Rebuild the Keras model of a Model tree.

    Args:
        path: The Model's folder.
        purpose: Ends the sentence "this model cannot be ...", such as "pruned".

    Returns:
        The ``tf_keras`` model and its info.

    Raises:
        UserError: The tree holds a program only, or was damaged.
    """
    info = ModelInfo.read(path)
    if not info.trainable:
        raise UserError(
            f"the model in {path} cannot be {purpose}: it is a program without an architecture "
            f"({info.source or 'made by ' + ', '.join(s['component'] for s in info.steps)})",
            "use it for float16, dynamic or int8 after training; for everything else import the "
            "Keras 2 model as .keras or .h5, or distill a student from it",
        )
    model = architecture.build(json.loads((path / ARCHITECTURE).read_bytes()), str(path))
    set_weights(model, load_arrays(path / WEIGHTS), str(path / WEIGHTS))
    return model, info


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read a safetensors file.

    Raises:
        UserError: It is none, or was cut off.
    """
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"{path} cannot be read as safetensors: {error}", "write or download the file again"
        ) from error


def set_weights(model: Any, arrays: dict[str, np.ndarray], where: str) -> None:
    """Give ``model`` the arrays that ``save`` wrote for one of the same architecture.

    Raises:
        UserError: A name is missing or a shape differs.
    """
    values: list[np.ndarray] = []
    for name, weight in zip(_names(model.weights), model.weights, strict=True):
        if name not in arrays or arrays[name].shape != tuple(weight.shape):
            found = arrays[name].shape if name in arrays else "nothing"
            raise UserError(
                f"{where}: weight {name} should be {tuple(weight.shape)} and is {found}",
                "run the step that made the model again",
            )
        values.append(arrays[name])
    model.set_weights(values)


def _names(weights: Sequence[Any]) -> list[str]:
    """Name the weights, each once; copies of a layer share their name and get a number."""
    names: list[str] = []
    seen: dict[str, int] = {}
    for weight in weights:
        name = weight.name.removesuffix(":0")
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return names


def inference(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function of a Model, run through ``saved_model/`` one image at a time.

    It is what ``convert`` reads, so it is what a converted file is held against; it also works for
    models that cannot be trained further.

    Returns:
        From normalized float32 images ``bhwc`` to float32 outputs ``bd``.
    """
    info = ModelInfo.read(path)
    program = tf.saved_model.load(str(path / PROGRAM))

    def run(images_bhwc: np.ndarray) -> np.ndarray:
        assert images_bhwc.shape[1:] == info.image_shape, "images are not as the info says"
        images = np.asarray(images_bhwc, np.float32)
        signature = program.signatures[SIGNATURE]  # does not keep its variables alive by itself
        rows = [
            signature(**{INPUT: tf.constant(image[None])})[info.output.kind].numpy()[0]
            for image in images
        ]
        return np.stack(rows) if rows else np.zeros((0, info.output.size), np.float32)

    return run


def normalize(images_bhwc: np.ndarray, info: ModelInfo) -> np.ndarray:
    """Return what the network is fed for these pixels: ``(pixel - mean) / scale`` in float32.

    Args:
        images_bhwc: uint8.
        info: Gives mean and scale.
    """
    mean, scale = np.float32(info.input.mean), np.float32(info.input.scale)
    return (images_bhwc.astype(np.float32) - mean) / scale
