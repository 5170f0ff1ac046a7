"""Importing: the user's own model, turned into a Model.

What may be executed is asked first: a Keras file from outside is read as data, its architecture is
checked by ``architecture`` and built by us, and its weights are copied in. A SavedModel is a
program and is never opened without the user's word for it; neither is anything that needs code.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from components.artifacts.dataset import Dataset
from components.artifacts.model import ModelInfo, Scores
from components.contract.digests import canonical_json
from components.contract.errors import UserError
from components.contract.source import Source
from components.ml.formats import keras_files, model_folder, users_saved_model
from components.ml.networks import architecture, flattening
from components.ml.networks.building import info_of
from components.ml.training.outputs import Outputs, outputs_of
from components.ml.training.validation import Validation

REPORT = "import.json"

_TRUST = (
    "set trusted: true if you made this file yourself (what is in it is then executed); if not, "
    "ask for it as a Keras 2 .keras or .h5 of plain layers"
)


@dataclass(frozen=True)
class Origin:
    """Where a model came from.

    Attributes:
        name: Of the file or folder.
        sha256: Of the file, or of the list of files.
        form: ``.keras``, ``.h5`` or SavedModel.
    """

    name: str
    sha256: str
    form: str

    def __str__(self) -> str:
        return f"{self.form} {self.name} (sha256 {self.sha256[:12]})"


def import_model(
    imported: Path,
    dataset: Path,
    path: Path,
    report: Path,
    *,
    trusted: bool,
    mean: float,
    scale: float,
) -> None:
    """Check the user's model, fit it to the dataset and write it as a Model.

    Args:
        imported: A staged Source: one file, or the files of a SavedModel.
        dataset: Gives task, size of the images and classes; its validation split is measured.
        path: Folder of the Model to write.
        report: Folder of ``import.json``.
        trusted: Whether what is in the file may be executed.
        mean: Subtracted from the pixels before the network.
        scale: What the difference is divided by.

    Raises:
        UserError: The file is refused or damaged, or does not fit the dataset.
    """
    source, data = Source.open(imported), Dataset.open(dataset)
    names = {file.name for file in source.files}
    if any(Path(name).name == "saved_model.pb" for name in names):
        origin = Origin(_folder_name(source), source.digest, "SavedModel")
        if not trusted:
            raise UserError(f"{origin.name} is a SavedModel, which is a program", _TRUST)
        answers, info = _import_program(source, origin, data, path, mean, scale)
    elif len(source.files) == 1:
        file = source.files[0]
        local = source.verified(file)
        origin = Origin(file.name, file.sha256, keras_files.form_of(local, file.name))
        model = keras_files.read(local, origin.name, origin.form, trusted=trusted)
        answers, info = _import_keras(model, origin, data, path, mean, scale)
    else:
        raise UserError(
            f"a model is one file or a SavedModel, and {len(names)} files were given",
            "give the path of the .keras or .h5 file",
        )
    validation = Validation(data, info.task)
    report.mkdir(parents=True, exist_ok=True)
    (report / REPORT).write_bytes(
        canonical_json(
            {
                "schema": 1,
                "component": "import_model",
                "imported": {"name": origin.name, "sha256": origin.sha256, "form": origin.form},
                "trainable": info.trainable,
                "metric": validation.metric,
                # Near chance it is mostly the normalization, or the order of the classes.
                "validation": validation.measure(answers),
            }
        )
    )


def _import_keras(
    model: Any, origin: Origin, data: Dataset, path: Path, mean: float, scale: float
) -> tuple[Outputs, ModelInfo]:
    """Write a Keras model; one with layers that nobody knows as a program."""
    if len(model.inputs or ()) != 1 or len(model.outputs or ()) != 1:
        raise UserError(
            f"{origin.name} has {len(model.inputs or ())} inputs and "
            f"{len(model.outputs or ())} outputs; one image in and one answer out is expected",
            "save a model with one of each",
        )
    _check_input(tuple(model.inputs[0].shape[1:]), data, origin.name)
    answered = tuple(model.outputs[0].shape[1:])
    softmax = architecture.ends_in_softmax(model)
    info = _fitted(data, origin, answered, mean, scale, softmax=softmax)
    if architecture.is_known(model):
        model = flattening.flattened(model, info.image_shape)
        info = replace(info, source=f"imported from {origin}")
        model_folder.save(path, model, info)
    else:
        info = replace(
            info,
            parameters=int(model.count_params()),
            trainable=False,
            source=f"imported from {origin}, whose own layers can be run and not be changed",
        )
        model_folder.export(path, lambda image: model(image, training=False), model.weights, info)
        info.write(path)
    return outputs_of(model, info), info


def _import_program(
    source: Source, origin: Origin, data: Dataset, path: Path, mean: float, scale: float
) -> tuple[Outputs, ModelInfo]:
    """Write a SavedModel, with its signature brought to ours."""
    with tempfile.TemporaryDirectory() as folder:
        program = users_saved_model.load(_staged(source, Path(folder)), origin.name)
        _check_input(program.input_shape, data, origin.name)
        softmax = program.softmax(data.info.shape)
        info = _fitted(data, origin, program.output_shape, mean, scale, softmax=softmax)
        info = replace(
            info,
            parameters=program.parameters,
            trainable=False,
            source=f"imported from {origin}, a program that can be run and not be changed",
        )
        model_folder.export(path, program.run, program.held, info)
    info.write(path)
    answers = model_folder.inference(path)
    return lambda images_nhwc: answers(model_folder.normalize(images_nhwc, info)), info


def _staged(source: Source, folder: Path) -> Path:
    """Lay out checked copies of a SavedModel's files, and return its folder."""
    for file in source.files:
        place = folder / file.name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(source.read(file))
    return next(folder.rglob("saved_model.pb")).parent


def _folder_name(source: Source) -> str:
    program = next(file for file in source.files if Path(file.name).name == "saved_model.pb")
    return Path(program.name).parent.name or "saved_model.pb"


def _fitted(
    data: Dataset,
    origin: Origin,
    answered: tuple[int | None, ...],
    mean: float,
    scale: float,
    *,
    softmax: bool,
) -> ModelInfo:
    """Return the info of a model with this input and output on this dataset.

    Args:
        data: What it is to be used on.
        origin: How errors call the model.
        answered: Shape of one output, without the batch.
        mean: Goes into the info.
        scale: Goes into the info.
        softmax: Whether the output is probabilities.

    Raises:
        UserError: It answers something else than the task needs.
    """
    info = data.info
    if len(answered) != 1 or not answered[0]:
        raise UserError(
            f"{origin.name} answers with {_size(answered)} and not with one row of numbers",
            "end the model in GlobalAveragePooling2D or Flatten",
        )
    if info.task == "classification" and answered[0] != len(info.classes):
        raise UserError(
            f"{origin.name} answers with {answered[0]} scores and the dataset has "
            f"{len(info.classes)} classes ({', '.join(info.classes[:5])}, ...)",
            "give the model's classes as sub-folders, named so that they sort in its order",
        )
    if info.task == "verification" and softmax:
        raise UserError(
            f"{origin.name} ends in a softmax: it classifies, and verification compares embeddings",
            "save the model without its last layer, or set task: classification",
        )
    info = info_of(data, answered[0], mean, scale)
    if isinstance(info.output, Scores) and softmax:
        info = replace(info, output=replace(info.output, activation="softmax"))
    return info


def _check_input(shape: tuple[int | None, ...], data: Dataset, name: str) -> None:
    """Refuse a model that takes something else than the dataset's images; None is any size."""
    wanted = data.info.shape
    if len(shape) == 3 and all(
        side in (None, pixels) for side, pixels in zip(shape, wanted, strict=True)
    ):
        return
    fix = "give a model that takes images: height x width x channels"
    if len(shape) == 3:
        height, width, channels = shape
        fix = f"set image: {{height: {height}, width: {width}, channels: {channels}}}"
    raise UserError(f"{name} takes {_size(shape)} and the dataset has {_size(wanted)}", fix)


def _size(shape: tuple[int | None, ...]) -> str:
    return " x ".join("any" if side is None else str(side) for side in shape) or "one number"
