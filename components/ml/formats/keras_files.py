"""Keras files, ``.keras`` and ``.h5``: read as data, built by us, filled with their weights."""

from __future__ import annotations

import json
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from components.contract.errors import UserError
from components.ml.formats import hdf5, keras3, size_limits
from components.ml.graphs import towers
from components.ml.networks import architecture, refusals
from components.ml.runtime import tf_keras

_MOST_CONFIG_BYTES = 64 << 20
_WEIGHTS = "model.weights.h5"
_SAVE_AGAIN = "save the model with tf_keras (Keras 2) as .keras or .h5"


def form_of(path: Path, name: str) -> str:
    """Tell ``.keras`` from ``.h5`` by the first bytes; a name may say anything.

    Raises:
        UserError: It is neither.
    """
    with path.open("rb") as file:
        start = file.read(8)
    if start.startswith(b"\x89HDF\r\n\x1a\n"):
        return ".h5"
    if start.startswith(b"PK\x03\x04"):
        return ".keras"
    if start[:1] == b"\x80" or name.endswith((".pkl", ".pickle", ".joblib", ".pt", ".pth")):
        raise UserError(
            f"{name} is a pickle, which runs whatever it likes when it is opened; it was not",
            _SAVE_AGAIN,
        )
    if start[4:8] == b"TFL3":
        raise UserError(
            f"{name} is a .tflite file, which is already converted", "give the model it came from"
        )
    raise UserError(f"{name} is neither a .keras nor an .h5 file", _SAVE_AGAIN)


def read(
    path: Path,
    name: str,
    form: str,
    *,
    trusted: bool,
    tower: str = "",
    known: Mapping[str, Any] | None = None,
) -> Any:
    """Return the Keras model in a file, built from checked data where that is possible.

    Where one model inside of it is asked for, the others are neither checked nor built.

    Args:
        path: The file.
        name: How errors call it.
        form: See ``form_of``.
        trusted: Whether code in the file may be executed where the checked way does not work.
        tower: Name of the model inside of it that is asked for; empty for the whole.
        known: Classes and functions of the user's own, by name.

    Raises:
        NotMapped: It is one of Keras 3 that cannot be told in layers of Keras 2.
        UserError: It is damaged, written by a later Keras, needs code and is not trusted, has
            several inputs or outputs, or no such tower.
    """
    reader = _read_keras if form == ".keras" else _read_h5
    try:
        return _limited(reader, path, name, tower)
    except refusals.Refused as refused:
        if not trusted or (isinstance(refused, refusals.Homemade) and not known):
            raise
    try:
        with tempfile.TemporaryDirectory() as folder:
            named = _named(path, Path(folder), f"model{form}")
            model = tf_keras.models.load_model(
                named, custom_objects=dict(known or {}), compile=False, safe_mode=False
            )
            return model.get_layer(tower) if tower else model
    except Exception as error:
        raise UserError(
            f"{name} cannot be loaded: {type(error).__name__}: {error}",
            "list every file that defines a layer of yours under modules:, or save the model as a "
            "SavedModel, which brings its code along",
        ) from error


def _limited(reader: Callable[[Path, str, str], Any], path: Path, name: str, tower: str) -> Any:
    """Read a model that is no larger than any may be."""
    with size_limits.limited_weights(name):
        model = reader(path, name, tower)
    size_limits.check_outputs(model, name)
    return model


def major_of(path: Path) -> str:
    """Return the main version of the Keras that wrote a ``.keras`` file; 2 where it is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _major(json.loads(archive.read("metadata.json")))
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, EOFError, AttributeError):
        return "2"


def _named(path: Path, folder: Path, name: str) -> str:
    """Give a file the ending by which Keras tells formats apart."""
    link = folder / name
    link.symlink_to(path.resolve())
    return str(link)


def _build(config: Mapping[str, Any], name: str, tower: str) -> Any:
    """Build the whole model, or the tower in it."""
    if tower:
        inside = towers.tower_of(config, tower, name)
        towers.refuse_several(inside, f"{name}: {tower}")
        return architecture.build(inside, f"{name}: {tower}")
    towers.refuse_several(config, name)
    return architecture.build(config, name)


def _build_of_keras_3(document: Mapping[str, Any], weights: Path, name: str, tower: str) -> Any:
    """Build the whole model, or the tower in it, with its weights."""
    place, called = "", name
    if tower:
        place = f"{towers.stored_under(document, tower, name)}/"
        document, called = towers.tower_of(document, tower, name), f"{name}: {tower}"
    towers.refuse_several(document, called, keras="keras")
    return keras3.read(document, weights, called, place)


def _read_h5(path: Path, name: str, tower: str) -> Any:
    with hdf5.opened(path, name) as file:
        if "model_config" not in file.attrs:
            raise UserError(
                f"{name} holds weights and no architecture",
                "save the whole model (model.save), or give the file as weights: of a backbone",
            )
        version = hdf5.text(file.attrs.get("keras_version", "2"))
        if _main_number(version) == "3":
            raise UserError(
                f"{name} is an .h5 file of Keras 3, which is read in its own format alone",
                f"in Keras 3: keras.models.load_model({name!r}, compile=False).save('model.keras')",
            )
        _check_version(version, name)
        config = _parsed(hdf5.text(file.attrs["model_config"]), name)
        model = _build(config, name, tower)
        if tower:
            with _fitting(name):
                group = file["model_weights"][tower]
                arrays = [group[weight][()] for weight in hdf5.texts(group, "weight_names")]
                # The order in which Keras writes them.
                weights = [*model.trainable_weights, *model.non_trainable_weights]
                for weight, array in zip(weights, arrays, strict=True):
                    weight.assign(array)
            return model
    with tempfile.TemporaryDirectory() as folder, _fitting(name):
        model.load_weights(_named(path, Path(folder), "model.h5"))
    return model


def _read_keras(path: Path, name: str, tower: str) -> Any:
    try:
        with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
            sizes = {item.filename: item.file_size for item in archive.infolist()}
            if not {"config.json", "metadata.json", _WEIGHTS} <= set(sizes):
                raise UserError(
                    f"{name} is a ZIP archive but no Keras model: it holds "
                    f"{', '.join(sorted(sizes)[:5])}",
                    _SAVE_AGAIN,
                )
            small = max(sizes["config.json"], sizes["metadata.json"]) <= _MOST_CONFIG_BYTES
            if not small:
                raise UserError(
                    f"{name} describes itself in more than {_MOST_CONFIG_BYTES:,} bytes, which no "
                    "model needs",
                    _SAVE_AGAIN,
                )
            size_limits.check_file_bytes(sizes[_WEIGHTS], name)
            metadata = _parsed(archive.read("metadata.json").decode(), name)
            document = _parsed(archive.read("config.json").decode(), name)
            weights = Path(folder) / _WEIGHTS
            if _major(metadata) == "3":
                archive.extract(_WEIGHTS, folder)
                return _build_of_keras_3(document, weights, name, tower)
            _check_version(str(metadata.get("keras_version", "2")), name)
            model = _build(document, name, tower)
            archive.extract(_WEIGHTS, folder)
            with hdf5.opened(weights, f"{name}: {_WEIGHTS}") as file, _fitting(name):
                if tower:
                    weights = Path(folder) / "tower.weights.h5"
                    _cut_out(file[towers.stored_under(document, tower, name)], weights)
                model.load_weights(str(weights))
            return model
    except (zipfile.BadZipFile, zlib.error, EOFError, UnicodeDecodeError) as error:
        raise UserError(f"{name} is damaged: {error}", "write or download it again") from error


def _cut_out(group: Any, path: Path) -> None:
    """Write one group of an HDF5 file as a file of its own."""
    with h5py.File(path, "w") as file:
        for key in group:
            group.copy(key, file)


def _parsed(content: str, name: str) -> dict[str, Any]:
    if len(content) > _MOST_CONFIG_BYTES:
        raise UserError(f"{name} describes itself at a length that no model has", _SAVE_AGAIN)
    try:
        value = json.loads(content)
    except (json.JSONDecodeError, RecursionError) as error:
        raise UserError(
            f"{name} has an architecture that is no JSON: {error}", _SAVE_AGAIN
        ) from None
    if not isinstance(value, dict):
        raise UserError(f"{name} has an architecture that is no object", _SAVE_AGAIN)
    return value


def _major(metadata: Mapping[str, Any]) -> str:
    return _main_number(str(metadata.get("keras_version", "2")))


def _main_number(version: str) -> str:
    return version.split(".", maxsplit=1)[0]


def _check_version(version: str, name: str) -> None:
    if _main_number(version) not in ("2", "1"):
        raise UserError(
            f"{name} was written by Keras {version}; what reads it knows Keras 2 and 3",
            "save it with tf_keras (TF_USE_LEGACY_KERAS=1), or export it as a SavedModel "
            "(model.export) and set trusted: true",
        )


@contextmanager
def _fitting(name: str) -> Generator[None]:
    """Say of a failure in here that the weights do not fit.

    Raises:
        UserError: They do not fit the architecture.
    """
    try:
        yield
    except (KeyError, ValueError, OSError, AttributeError) as error:
        raise UserError(
            f"the weights in {name} do not fit its architecture: {error}", _SAVE_AGAIN
        ) from error
