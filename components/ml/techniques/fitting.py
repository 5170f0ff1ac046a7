"""Whether a model of the user's own fits the dataset, and what its numbers are.

Shapes: n images, d numbers of the output.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from components.artifacts.dataset import Dataset
from components.artifacts.model import Activation, ModelInfo, Scores
from components.contract.errors import UserError
from components.ml.graphs import heads
from components.ml.networks.building import info_of
from components.ml.training.validation import SPLIT, Outputs

REPORT = "import.json"
Size = tuple[int, int]
_LOOKED_AT = 64
"""Real images that are answered to see what the numbers are."""


@dataclass(frozen=True)
class Fitted:
    """A model with the meaning of its output.

    Attributes:
        info: What ``model.json`` will say.
        binary: Its one number is the probability of the second class; ``info`` is of the model
            that ``heads.with_both_classes`` makes of it.
    """

    info: ModelInfo
    binary: bool


def fitted(
    data: Dataset,
    name: str,
    answered: tuple[int | None, ...],
    info: ModelInfo,
    layers_say: Activation | None,
    outputs: Outputs,
) -> Fitted:
    """Return the info of a model on this dataset.

    Args:
        data: What it is to be used on.
        name: How errors call the model.
        answered: Shape of one output, without the batch.
        info: How it is fed.
        layers_say: What its layers say of its numbers, or None.
        outputs: The model as a function of images.

    Raises:
        UserError: It answers something else than the task needs.
    """
    if len(answered) != 1 or not answered[0]:
        raise UserError(
            f"{name} answers with {size_of(answered)} and not with one row of numbers",
            "end the model in GlobalAveragePooling2D or Flatten",
        )
    # 32-bit floats on a few images: numbers that cannot be told from probabilities here cannot be
    # told from them by the app either.
    answers_nd = outputs(np.asarray(data.images(SPLIT)[:_LOOKED_AT]))
    _refuse_infinite(answers_nd, name)
    activation = heads.told_by_answers(answers_nd, layers_say)
    if info.task == "verification":
        _check_embedding(name, answered[0], activation)
        return Fitted(info, binary=False)
    classes = data.info.classes
    binary = answered[0] == 1
    if binary:
        _check_binary(name, classes, activation)
        activation = "softmax"
    elif answered[0] != len(classes):
        raise UserError(
            f"{name} answers with {answered[0]} scores and the dataset has "
            f"{len(classes)} classes ({', '.join(classes[:5])}, ...)",
            "give the model's classes as sub-folders, named so that they sort in its order",
        )
    return Fitted(replace(info, output=Scores(classes, activation)), binary)


def fed(data: Dataset, answered: tuple[int | None, ...], mean: float, scale: float) -> ModelInfo:
    """Return what is known of a model before it has answered: how it is fed."""
    return info_of(data, (answered[0] if answered else 0) or 0, mean, scale)


def check_input(
    shape: tuple[int | None, ...], data: Dataset, name: str, *, resize: bool = False
) -> Size | None:
    """Refuse a model that takes something else than the dataset's images; None is any size.

    Args:
        shape: Of its image.
        data: What it is to be used on.
        name: How errors call the model.
        resize: Whether it may be of another size.

    Returns:
        Rows and columns that images have to be brought to; None where they have them.

    Raises:
        UserError: It takes no such images.
    """
    wanted = data.info.shape
    if len(shape) == 3 and all(
        side in (None, pixels) for side, pixels in zip(shape, wanted, strict=True)
    ):
        return None
    if resize and len(shape) == 3 and shape[2] in (None, wanted[2]):
        return shape[0] or wanted[0], shape[1] or wanted[1]
    fix = "give a model that takes images: height x width x channels"
    if len(shape) == 3 and shape[2] not in (None, 1, 3):
        fix = _other_channels(shape, wanted)
    elif len(shape) == 3:
        sizes = zip(("height", "width", "channels"), shape, wanted, strict=True)
        keys = ", ".join(f"{key}: {side or pixels}" for key, side, pixels in sizes)
        fix = f"set image: {{{keys}}}"
        if shape[2] in (None, wanted[2]):
            fix += ", or resize: true under teacher: the model is then shown images of its size"
    raise UserError(f"{name} takes {size_of(shape)} and the dataset has {size_of(wanted)}", fix)


def _other_channels(shape: tuple[int | None, ...], wanted: tuple[int, int, int]) -> str:
    """Return what to do about a model whose last side is no number of channels of an image."""
    if shape[0] not in (1, 3):
        return (
            "give a model of 1 or 3 channels; or learn from the answers of this one: teacher: "
            "{outputs: ./answers.npz}"
        )
    sides = shape[1] or wanted[0], shape[2], shape[0]
    return (
        f"let it take channels last: keras.Sequential([keras.layers.Input({sides}), "
        "keras.layers.Permute((3, 1, 2)), model]).save('model.keras')"
    )


def check_weights(name: str, weights: Iterable[tuple[str, Any]]) -> None:
    """Ask that all numbers of a model are finite.

    Args:
        name: How errors call the model.
        weights: Arrays, each with the name of its layer.

    Raises:
        UserError: Some are not; it names the layers.
    """
    layers = list(dict.fromkeys(layer for layer, array in weights if not np.isfinite(array).all()))
    if layers:
        raise UserError(
            f"{name} holds weights that are infinite or no number, in {len(layers)} of its "
            f"layers: {', '.join(layers[:5])}{', ...' if len(layers) > 5 else ''}",
            "give an earlier checkpoint of it, or train it again with a lower learning rate",
        )


def size_of(shape: tuple[int | None, ...]) -> str:
    """Write a shape as a person would."""
    return " x ".join("any" if side is None else str(side) for side in shape) or "one number"


def _refuse_infinite(answers_nd: np.ndarray, name: str) -> None:
    wrong = int((~np.isfinite(answers_nd).all(axis=1)).sum())
    if wrong:
        raise UserError(
            f"{name} answers {wrong} of {len(answers_nd)} images with numbers that are not finite",
            "set mean and scale under teacher.normalization to what it was trained with",
        )


def _check_embedding(name: str, size: int, activation: Activation) -> None:
    without = "save the model without its last layer, or set task: classification"
    if activation == "softmax":
        raise UserError(
            f"{name} ends in a softmax: it classifies, and verification compares embeddings",
            without,
        )
    if size == 1:
        raise UserError(
            f"{name} answers with one number, and verification compares embeddings", without
        )


def _check_binary(name: str, classes: tuple[str, ...], activation: Activation) -> None:
    if len(classes) != 2:
        raise UserError(
            f"{name} answers with one number, which tells two classes apart, and the dataset has "
            f"{len(classes)} classes ({', '.join(classes[:5])}, ...)",
            "give the images of its two classes alone; the number is the probability of the one "
            "whose name sorts last",
        )
    if activation != "sigmoid":
        raise UserError(
            f"{name} answers with one number that is no probability of the second class, "
            f"{classes[1]}",
            "save it with a sigmoid at its end: keras.Model(model.inputs, keras.layers.Activation("
            '"sigmoid")(model.outputs[0])).save("model.keras")',
        )
