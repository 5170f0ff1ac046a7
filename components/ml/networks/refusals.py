"""Why a class in a Keras file is not built, and what to do about it.

Whether Keras itself has the class decides on the fix: the file names it and does not hold its code.
"""

from __future__ import annotations

from typing import NoReturn

from components.contract.errors import UserError
from components.ml.runtime import tf_keras

_OPERATION_LAYERS = frozenset(
    {"ClassMethod", "InstanceMethod", "InstanceProperty", "SlicingOpLambda", "TFOpLambda"}
)
"""Layers of Keras 2 for what is done with tensors between layers; they are not in its API."""

_STRIPPED = {
    "ClusterWeights": "tfmot.clustering.keras.strip_clustering",
    "PruneLowMagnitude": "tfmot.sparsity.keras.strip_pruning",
}
_QUANTIZING = frozenset(
    {"QuantizeAnnotate", "QuantizeLayer", "QuantizeWrapper", "QuantizeWrapperV2"}
)

HOMEMADE = (
    "is a class of somebody's own, and its code is not in the file, so that trusted: true alone "
    "cannot help"
)
MODULES = (
    "name the file that defines it: teacher: {model: ..., trusted: true, modules: [./layers.py]} "
    "(what is in both is then executed); or export the model as a SavedModel, which brings the "
    "code along (model.export), give that and set trusted: true"
)
"""The fix for layers of somebody's own."""
NO_CODE = (
    "put a layer without code in its place; where it makes vectors of length 1: "
    "tf_keras.models.clone_model(model, clone_function=lambda layer: "
    "tf_keras.layers.UnitNormalization() if isinstance(layer, tf_keras.layers.Lambda) else layer)"
    '.save("model.keras"); or, if you made this file yourself, set trusted: true (its code is then '
    "executed)"
)
"""The fix for Lambda layers."""


_NO_ACTIVATION_CODE = (
    "put a function of Keras in its place, such as layer.activation = keras.activations.relu, and "
    "save the model again; or write it as a SavedModel, with model.export('FOLDER'), and set "
    "model: FOLDER and trusted: true"
)


class Refused(UserError):  # noqa: N818 what happened, not what went wrong in the program
    """An architecture names something that is not on the list."""


class Homemade(Refused):
    """It names something that Keras does not have, so that its code is needed and is not there."""


def refused(where: str, why: str) -> Refused:
    """Return the refusal of what Keras has and the list has not."""
    return Refused(
        f"{where} {why}, so the file was not opened any further",
        "rebuild the model from plain Keras 2 layers; or, if you made this file yourself, set "
        "trusted: true (its code is then executed)",
    )


def homemade(where: str) -> Homemade:
    """Return the refusal of a class that Keras does not have."""
    return Homemade(f"{where} {HOMEMADE}", MODULES)


def homemade_activation(where: str, name: object) -> Homemade:
    """Return the refusal of an activation that Keras does not have."""
    return Homemade(
        f"{where} uses the activation {name!r}, a function of somebody's own, and its code is not "
        "in the file, so that trusted: true alone cannot help",
        MODULES,
    )


def unnamed_activation(where: str) -> Homemade:
    """Return the refusal of an activation that is a lambda."""
    what = f"{where} carries the code of its activation, which no Keras loads again"
    return Homemade(what, _NO_ACTIVATION_CODE)


def refuse_class(where: str, name: str) -> None:
    """Refuse what Keras does not have; return where it has the class.

    Args:
        where: How an error calls it.
        name: Of the class.

    Raises:
        Refused: It wraps a layer for a training by TFMOT.
        Homemade: It is somebody's own.
    """
    if name in _STRIPPED:
        raise _wrapped(
            where,
            "makes weights sparse or clustered in training",
            f"take the wrappers off: {_STRIPPED[name]}(model).save('model.keras')",
        )
    if name in _QUANTIZING:
        raise _wrapped(
            where,
            "trains through rounding",
            "give the model as it was before quantize_model or quantize_apply, and end a variant "
            "in quantize_aware: {}, which trains through rounding",
        )
    homes = (tf_keras.layers, tf_keras.initializers, tf_keras.regularizers, tf_keras.constraints)
    if name not in _OPERATION_LAYERS and not any(hasattr(home, name) for home in homes):
        raise homemade(where)


def refuse_activation(where: str, name: object) -> NoReturn:
    """Refuse an activation by name.

    Raises:
        Refused: Keras has it, and it is not on the list.
        Homemade: It is somebody's own.
    """
    try:
        tf_keras.activations.get(name)
    except (ValueError, TypeError):
        raise homemade_activation(where, name) from None
    raise refused(where, f"uses the activation {name!r}, which is not known")


def _wrapped(where: str, purpose: str, fix: str) -> Homemade:
    return Homemade(f"{where} is a wrapper by which tensorflow_model_optimization {purpose}", fix)
