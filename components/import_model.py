"""Import: a model file of the user's own, checked and written as a Model."""

from __future__ import annotations

from typing import Annotated

from components.contract.types import (
    DatasetIn,
    FromGraph,
    ModelOut,
    PositiveFloat,
    PositiveInt,
    ReportOut,
    Seed,
    SourceIn,
)

IMAGE = "train"
MEMORY_GB = 6


def import_model(
    source: SourceIn,
    dataset: DatasetIn,
    modules: SourceIn | None,
    model: ModelOut,
    report: ReportOut,
    *,
    trusted: Annotated[bool, FromGraph()] = False,
    tower: Annotated[str, FromGraph()] = "",
    freeze: Annotated[tuple[str, ...], FromGraph()] = (),
    resize: Annotated[bool, FromGraph()] = False,
    mean: Annotated[float, FromGraph()] = 127.5,
    scale: Annotated[PositiveFloat, FromGraph()] = 127.5,
    threads: PositiveInt = 2,
    seed: Seed = 0,
) -> None:
    """Turn a Keras file or a SavedModel into a Model, without training it.

    The file is read as data: its layers are held against a list of known ones, the network is
    built anew and the weights are copied in. Without ``trusted`` nothing of it is executed; what
    needs that, such as a SavedModel, is refused. What its numbers mean is told by its layers and
    by its answers to real images; one sigmoid unit becomes the probabilities of two classes. All
    layers can be trained further, whatever the file says, but those under ``freeze``. The model
    is measured on the validation split.

    Args:
        source: The user's own model: ``.keras`` of Keras 2 or 3, ``.h5`` of Keras 2, or a
            SavedModel.
        dataset: Gives task, size of the images and classes; its validation split is read.
        modules: Python files of the user's own that define layers of the model. They are executed
            here, and only when ``trusted``; the Model holds what they compute.
        model: The same network as a Model.
        report: ``import.json``: where it came from, which layers are frozen, and the validation
            metric.
        trusted: The file is the user's own: what is in it may be executed.
        tower: Name of the model inside a Siamese one that is taken; empty for the whole.
        freeze: Names of layers, ``*`` stands for any letters, that later training leaves alone.
        resize: A model of another image size is taken with layers before it that bring images to
            its size: enlarged bilinearly, or averaged where they are larger.
        mean: Subtracted from every pixel of 0 to 255 before the network.
        scale: What the difference is divided by.
        threads: Threads of TensorFlow, count.
        seed: Of everything random.

    Raises:
        UserError: The file is refused or damaged, or does not fit the dataset.
    """
    from components.ml.runtime import configure
    from components.ml.techniques import importing

    configure(threads, seed)
    given = importing.Given(
        trusted=trusted,
        tower=tower,
        freeze=freeze,
        mean=mean,
        scale=scale,
        modules=modules,
        resize=resize,
    )
    importing.import_model(source, dataset, model, report, given, seed=seed)
