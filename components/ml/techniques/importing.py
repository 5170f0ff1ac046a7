"""Importing: the user's own model, turned into a Model.

What may be executed is asked first: a Keras file from outside is read as data, its architecture is
checked by ``architecture`` and built by us, and its weights are copied in. A SavedModel is a
program and is never opened without the user's word for it; neither is anything that needs code.
"""

from __future__ import annotations

import fnmatch
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from components.artifacts.dataset import Dataset
from components.artifacts.model import ModelInfo
from components.contract.digests import canonical_json
from components.contract.errors import UserError, suggest
from components.contract.programs import TRUST_MODULES, is_program, refuse_program
from components.contract.source import Source
from components.ml.formats import (
    keras3_program,
    keras_files,
    model_folder,
    samples,
    users_modules,
    users_saved_model,
)
from components.ml.formats.keras3_layers import CodeMissing, NotMapped
from components.ml.formats.users_modules import UsersModules
from components.ml.graphs import flattening, heads, resizing
from components.ml.networks import architecture
from components.ml.runtime import tf_keras
from components.ml.techniques import fitting
from components.ml.training.outputs import Outputs, outputs_of
from components.ml.training.validation import Validation


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

    @property
    def step(self) -> dict[str, str]:
        """The first step of the Model's history."""
        return {"component": "import_model", "file": self.name}

    def __str__(self) -> str:
        return f"{self.form} {self.name} (sha256 {self.sha256[:12]})"


@dataclass(frozen=True)
class Given:
    """What the user says of a model.

    Attributes:
        trusted: Whether what is in the file may be executed.
        tower: Name of the model inside the file that is meant; empty for the whole.
        freeze: Names of layers that later training leaves as they are, or patterns of names.
        mean: Subtracted from the pixels before the network.
        scale: What the difference is divided by.
        modules: Staged Source of the files that define layers of the user's own, or None.
        resize: Whether a model of another image size is shown images brought to its size.
    """

    trusted: bool
    tower: str
    freeze: tuple[str, ...]
    mean: float
    scale: float
    modules: Path | None = None
    resize: bool = False


@dataclass(frozen=True)
class Freezing:
    """Which layers later training leaves as they are.

    Attributes:
        frozen: Layers that the user named.
        trained_again: Layers that were saved as not trainable and are trained all the same.
    """

    frozen: tuple[str, ...]
    trained_again: tuple[str, ...]

    @property
    def told(self) -> dict[str, int]:
        """Counts for the Model's history, of what there is."""
        counts = {"frozen": len(self.frozen), "trained_again": len(self.trained_again)}
        return {name: count for name, count in counts.items() if count}

    def __str__(self) -> str:
        words = ""
        if self.frozen:
            words += f"; frozen layers: {len(self.frozen)}"
        if self.trained_again:
            words += f"; frozen in the file and trained here: {len(self.trained_again)} layers"
        return words


def import_model(
    imported: Path, dataset: Path, path: Path, report: Path, given: Given, *, seed: int = 0
) -> None:
    """Check the user's model, fit it to the dataset and write it as a Model.

    Args:
        imported: A staged Source: one file, or the files of a SavedModel.
        dataset: Gives task, size of the images and classes; its validation split is measured, and
            samples are drawn of its train split.
        path: Folder of the Model to write.
        report: Folder of ``import.json``.
        given: What the user says of it.
        seed: Of the samples.

    Raises:
        UserError: The file is refused or damaged, or does not fit the dataset.
    """
    source, data = Source.open(imported), Dataset.open(dataset)
    names = {file.name for file in source.files}
    if is_program(names):
        origin = Origin(_folder_name(source), source.digest, "SavedModel")
        refuse_program(
            origin.name,
            trusted=given.trusted,
            tower=given.tower,
            freeze=given.freeze,
            modules=given.modules is not None,
        )
        with tempfile.TemporaryDirectory() as folder:
            saved = _staged(source, Path(folder))
            answers, info, freezing = _import_program(saved, origin, data, path, given)
    elif len(source.files) == 1:
        file = source.files[0]
        local = source.verified(file)
        origin = Origin(file.name, file.sha256, keras_files.form_of(local, file.name))
        answers, info, freezing = _import_file(local, origin, data, path, given)
    else:
        raise UserError(
            f"a model is one file or a SavedModel, and {len(names)} files were given",
            "give the path of the .keras or .h5 file",
        )
    samples.draw(path, data, seed)
    modules = Source.open(given.modules).files if given.modules else ()
    validation = Validation(data, info.task)
    report.mkdir(parents=True, exist_ok=True)
    (report / fitting.REPORT).write_bytes(
        canonical_json(
            {
                "schema": 1,
                "component": "import_model",
                "imported": {"name": origin.name, "sha256": origin.sha256, "form": origin.form},
                "modules": [{"name": one.name, "sha256": one.sha256} for one in modules],
                "trainable": info.trainable,
                "frozen": freezing.frozen,
                "frozen_in_file_and_trained": freezing.trained_again,
                "activation": getattr(info.output, "activation", None),
                "metric": validation.metric,
                # Near chance it is mostly the normalization, or the order of the classes.
                "validation": validation.measure(answers),
            }
        )
    )


def _import_file(
    local: Path, origin: Origin, data: Dataset, path: Path, given: Given
) -> tuple[Outputs, ModelInfo, Freezing]:
    """Write the model in one file: as layers that are known, or as a program where it needs code.

    The program holds what the code computes, so no later step needs the code.
    """
    if given.modules and not given.trusted:
        raise UserError("teacher.modules: what is in them is executed", TRUST_MODULES)
    with users_modules.checked(given.modules) as modules:
        try:
            with users_modules.imported(
                modules if _of_keras_2(local, origin) else UsersModules(),
                tf_keras.layers.Layer,
                "import tf_keras as keras",
            ) as known:
                model = keras_files.read(
                    local,
                    origin.name,
                    origin.form,
                    trusted=given.trusted,
                    tower=given.tower,
                    known=known,
                )
                return _import_keras(model, origin, data, path, given)
        except NotMapped as refused:
            missing = isinstance(refused, CodeMissing) and not modules.files
            if not given.trusted or missing:
                raise
        with tempfile.TemporaryDirectory() as folder:
            saved = Path(folder, "model")
            keras3_program.export(local, saved, origin.name, given.tower, modules)
            return _import_program(saved, origin, data, path, given)


def _of_keras_2(local: Path, origin: Origin) -> bool:
    """Whether the file is one whose code has to be that of Keras 2."""
    return origin.form == ".h5" or keras_files.major_of(local) == "2"


def _import_keras(
    model: Any, origin: Origin, data: Dataset, path: Path, given: Given
) -> tuple[Outputs, ModelInfo, Freezing]:
    """Write a Keras model; one with layers that nobody knows as a program."""
    if len(model.inputs or ()) != 1 or len(model.outputs or ()) != 1:
        raise UserError(
            f"{origin.name} has {len(model.inputs or ())} inputs and "
            f"{len(model.outputs or ())} outputs; one image in and one answer out is expected",
            "build the model for its image before it is saved: model.build((None, height, width, "
            "channels))",
        )
    if isinstance(model.output, Mapping | list | tuple):
        # It answers by name, or with a list of one.
        model = tf_keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    own = fitting.check_input(
        tuple(model.inputs[0].shape[1:]), data, origin.name, resize=given.resize
    )
    answered = tuple(model.outputs[0].shape[1:])
    info = fitting.fed(data, answered, given.mean, given.scale)
    known = architecture.is_known(model)
    if known:
        model = flattening.flattened(model, (*(own or info.image_shape[:2]), info.image_shape[2]))
    freezing = _trained(model, given.freeze, origin.name, known=known)
    fitting.check_weights(origin.name, _weights_by_layer(model))
    layers_say = heads.activation_of(model)
    if own:
        model = resizing.seeing(model, own, data.info.shape, known=known)
    outputs = outputs_of(model, info)
    fitted = fitting.fitted(data, origin.name, answered, info, layers_say, outputs)
    info = fitted.info
    if fitted.binary:
        model = heads.with_both_classes(model)
    if known:
        info = replace(info, source=f"imported from {origin}{freezing}")
        model_folder.save(path, model, info.after(origin.step | freezing.told))
    else:
        info = info.after(
            origin.step,
            parameters=int(model.count_params()),
            trainable=False,
            source=f"imported from {origin}, whose own layers can be run and not be changed",
        )
        model_folder.export(path, lambda image: model(image, training=False), model.weights, info)
        info.write(path)
    return outputs_of(model, info), info, freezing


def _trained(model: Any, freeze: Sequence[str], name: str, *, known: bool) -> Freezing:
    """Let later steps train all layers but those that are to stay as they are.

    What the file says of it was meant for the training that wrote it.

    Args:
        model: Changed.
        freeze: Names of layers, or patterns of them.
        name: How errors call the model.
        known: Whether it is made of known layers; others cannot be trained in any case.

    Raises:
        UserError: A name fits no layer.
    """
    if not known:
        return Freezing((), ())
    # Dropout and the like have nothing that could be trained.
    layers = [layer for layer in model.layers if layer.weights]
    names = [layer.name for layer in layers]
    for pattern in freeze:
        if not fnmatch.filter(names, pattern):
            raise UserError(
                f"teacher.freeze: {name} has no layer with weights called {pattern!r}",
                suggest(pattern, names),
            )
    in_file = [layer.name for layer in layers if not layer.trainable]
    model.trainable = True
    for layer in layers:
        layer.trainable = not any(fnmatch.fnmatchcase(layer.name, one) for one in freeze)
    frozen = tuple(layer.name for layer in layers if not layer.trainable)
    return Freezing(frozen, tuple(name for name in in_file if name not in frozen))


def _weights_by_layer(model: Any) -> Iterator[tuple[str, np.ndarray]]:
    for layer in model.layers:
        for array in layer.get_weights():
            yield layer.name, array
        if isinstance(layer, tf_keras.layers.Normalization):  # which computes with constants
            yield layer.name, np.asarray(layer.mean)
            yield layer.name, np.asarray(layer.variance)


def _import_program(
    saved: Path, origin: Origin, data: Dataset, path: Path, given: Given
) -> tuple[Outputs, ModelInfo, Freezing]:
    """Write a SavedModel, with its signature brought to ours."""
    program = users_saved_model.load(saved, origin.name)
    own = fitting.check_input(program.input_shape, data, origin.name, resize=given.resize)
    if own:
        own_run = program.run
        program = replace(program, run=lambda image: own_run(resizing.resized(image, own)))
    fitting.check_weights(origin.name, program.weights)
    info = fitting.fed(data, program.output_shape, given.mean, given.scale)
    outputs = program.outputs(info)
    fitted = fitting.fitted(data, origin.name, program.output_shape, info, None, outputs)
    info = fitted.info.after(
        origin.step,
        parameters=program.parameters,
        trainable=False,
        source=f"imported from {origin}, a program that can be run and not be changed",
    )
    run = program.run_for_both_classes if fitted.binary else program.run
    model_folder.export(path, run, program.held, info)
    info.write(path)
    answers = model_folder.inference(path)
    normalized = partial(model_folder.normalize, info=info)
    return lambda images_nhwc: answers(normalized(images_nhwc)), info, Freezing((), ())


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
