"""Files of Keras 3 (``.keras``), read as data: rebuilt of Keras 2 layers, weights by path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import ml_dtypes
import numpy as np

from components.contract.errors import UserError
from components.ml.formats import hdf5, keras3_graph, size_limits
from components.ml.formats.keras3_layers import not_mapped


def read(document: Mapping[str, Any], weights: Path, name: str, place: str = "") -> Any:
    """Return the ``tf_keras`` model of a file of Keras 3.

    Args:
        document: The parsed ``config.json``, or that of a model inside of it.
        weights: ``model.weights.h5``, unpacked.
        name: How errors call the model.
        place: Where the weights of a model inside lie: see ``keras3_graph.build``.

    Raises:
        NotMapped: Something in it has no counterpart in Keras 2.
        UserError: It is damaged.
    """
    with hdf5.opened(weights, f"{name}: {weights.name}") as file:
        _check_sizes(file, weights.stat().st_size, name)
        stored = _Stored(file, name)
        model = keras3_graph.build(document, name, stored, place)
        if model is None:
            raise not_mapped(name, "returns what it is given")
        stored.fill()
    return model


def _check_sizes(file: Any, file_bytes: int, name: str) -> None:
    """Refuse arrays that are larger than what is stored of them: they would fill the memory."""
    total = size_limits.declared_bytes(file)
    if total > file_bytes:
        raise UserError(
            f"{name} holds {file_bytes:,} bytes of weights that say they are {total:,}",
            "save the model again with model.save of Keras 3",
        )


@dataclass
class _Stored:
    """The weights of a file, and the layers that they belong to."""

    file: Any
    name: str
    layers: list[tuple[Any, str, str]] = field(default_factory=list)

    def settings(self, class_name: str, config: Mapping[str, Any], path: str) -> dict[str, Any]:
        """Return the mean and variance that a Normalization was adapted to.

        Keras 2 keeps them as weights, too, but computes with constants made when it was built.
        """
        if class_name != "Normalization" or config.get("mean") is not None:
            return {}
        arrays = self._arrays(path)
        if len(arrays) < 2:
            return {}
        mean, variance = (array[()].astype(np.float64).tolist() for array in arrays[:2])
        return {"mean": mean, "variance": variance}

    def watch(self, layer: Any, path: str, where: str) -> None:
        """See ``keras3_graph.Weights``."""
        arrays = self._arrays(path)
        shapes = {array.shape for array in arrays}
        original = layer.add_weight

        def add_weight(*arguments: Any, **options: Any) -> Any:
            given = options.get("shape", arguments[1] if len(arguments) > 1 else ())
            shape = tuple(int(side) for side in (given or ()))
            if shape not in shapes:
                raise self._misfit(where, f"no weight of {_sides(shape)}", arrays)
            return original(*arguments, **options)

        layer.add_weight = add_weight
        self.layers.append((layer, path, where))

    def fill(self) -> None:
        """Copy the weights into the layers, which are built by now.

        Raises:
            UserError: They do not fit.
        """
        for layer, path, where in self.layers:
            layer.__dict__.pop("add_weight", None)
            arrays = self._arrays(path) if layer.weights else []
            expected = [tuple(weight.shape) for weight in layer.weights]
            if [array.shape for array in arrays] != expected:
                sizes = ", ".join(_sides(shape) for shape in expected)
                raise self._misfit(where, f"no weights of {sizes}", arrays)
            layer.set_weights([_numbers(array) for array in arrays])

    def _arrays(self, path: str) -> list[Any]:
        """Return what the file holds for a layer, in order."""
        group: Any = self.file.get(f"{path}vars")
        if not isinstance(group, h5py.Group):
            return []
        names = sorted((str(name) for name in group if str(name).isdecimal()), key=int)
        return [group[name] for name in names]

    def _misfit(self, where: str, wanted: str, arrays: list[Any]) -> UserError:
        again = "save the model again with model.save of Keras 3"
        if not size_limits.declared_bytes(self.file):
            # Keras 3.15 leaves such a folder where it is to write over one (zipped=False).
            return UserError(
                f"{self.name} holds no weights at all: Keras did not come to write them",
                f"{again}, to a name that is not taken",
            )
        found = ", ".join(_sides(array.shape) for array in arrays) or "nothing"
        if not arrays:
            # Keras writes the weights of a layer once, below the first model that it is in.
            again = (
                "where two models inside share this layer, no Keras can load the file: write the "
                "model as a SavedModel, with model.export('FOLDER'), and set model: FOLDER and "
                "trusted: true"
            )
        return UserError(f"{where}: the file holds {wanted} for it but {found}", again)


def _numbers(array: Any) -> np.ndarray:
    """Read an array; bfloat16 lies in it as two bytes a number."""
    value = array[()]
    if hdf5.text(array.attrs.get("dtype", "")) == "bfloat16":
        value = np.asarray(value).view(ml_dtypes.bfloat16)
    return np.asarray(value).astype(np.float32)


def _sides(shape: tuple[int, ...]) -> str:
    return " x ".join(str(side) for side in shape) or "one number"
