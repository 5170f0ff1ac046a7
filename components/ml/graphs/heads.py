"""What the numbers at the end of a classifier mean, told by its layers and by its answers.

Shapes: n images, d numbers of the output.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from components.artifacts.model import Activation
from components.ml.runtime import tf_keras

_PASSING = frozenset(
    {
        "AveragePooling1D", "AveragePooling2D", "Cropping2D", "Dropout", "Flatten",
        "GaussianDropout", "GaussianNoise", "GlobalAveragePooling1D", "GlobalAveragePooling2D",
        "GlobalMaxPooling1D", "GlobalMaxPooling2D", "Identity", "MaxPooling1D", "MaxPooling2D",
        "Permute", "Reshape", "SpatialDropout2D",
    }
)  # fmt: skip
"""Layers behind which numbers are what they were before: moved, averaged or chosen from."""
_LINEAR = frozenset({"BatchNormalization", "Rescaling", "Normalization"})
"""Layers behind which logits are logits, and numbers of any range are on no known scale."""
_CHOOSING = frozenset({"Average", "Concatenate", "Maximum", "Minimum"})
"""Layers that merge numbers of one meaning into numbers of that meaning."""
_ADDING = frozenset({"Add", "Subtract"})
_MEANINGS: dict[str, Activation] = {
    "softmax": "softmax", "sigmoid": "sigmoid", "hard_sigmoid": "sigmoid", "linear": "none",
}  # fmt: skip
_SUM_TOLERANCE = 1e-3
"""How far the sum of probabilities may be from 1: files of 16-bit floats round."""


def activation_of(model: Any) -> Activation | None:
    """Return what the layers say of the output; None where the last ones are not known.

    Args:
        model: Sequential or functional, with one output.
    """
    return _behind(model.outputs[0])


def _behind(tensor: Any) -> Activation | None:
    """Follow a tensor back to the layer that gave its numbers their range."""
    layer, node_index, tensor_index = tensor._keras_history  # noqa: SLF001 no public way to ask
    kind = type(layer).__name__
    if isinstance(layer, tf_keras.Model):
        return _behind(layer.outputs[tensor_index])
    function = getattr(layer, "activation", None)
    name = "softmax" if kind == "Softmax" else getattr(function, "__name__", None)
    if kind in _PASSING or (kind == "Activation" and name == "linear"):
        before = layer.get_input_at(node_index)
        return None if isinstance(before, list | tuple | dict) else _behind(before)
    if kind in _CHOOSING or kind in _ADDING:
        merged: set[Activation | None] = {_behind(one) for one in layer.get_input_at(node_index)}
        said = merged.pop() if len(merged) == 1 else None
        return said if kind in _CHOOSING or said == "none" else None
    if kind in _LINEAR:
        before = _behind(layer.get_input_at(node_index))
        return before if before in ("none", None) else "other"
    if kind == "Arithmetic" and layer.operation == "log_softmax":
        return "none"
    return None if name is None else _MEANINGS.get(name, "other")


def told_by_answers(answers_nd: np.ndarray, layers_say: Activation | None) -> Activation:
    """Return what the answers to real images allow, beginning from what the layers say.

    Numbers that are all 0 or more and sum to 1 for every image are probabilities, whatever made
    them. A softmax or sigmoid is only believed where the numbers are such; where the layers say
    nothing, numbers that all lie between 0 and 1 are taken for a sigmoid's.

    Args:
        answers_nd: To images of the kind that the model is for.
        layers_say: See ``activation_of``.
    """
    within = bool(((answers_nd >= 0) & (answers_nd <= 1)).all())
    several = answers_nd.shape[1] > 1
    sums = within and np.allclose(answers_nd.sum(axis=1), 1, atol=_SUM_TOLERANCE)
    if sums and several and layers_say != "sigmoid":
        return "softmax"
    if within and layers_say in ("softmax", "sigmoid", None):
        return "sigmoid"
    return "none" if layers_say == "none" else "other"


def with_both_classes(model: Any) -> Any:
    """Return a model that answers with the probabilities of two classes and not of the second.

    The layers that are added have no weights, so that nothing can train or prune them away from
    a sum of 1.

    Args:
        model: Functional; its one number is the probability of the second class.
    """
    second = model.outputs[0]
    first = tf_keras.layers.Rescaling(-1.0, 1.0, name=_unused(model, "first_class"))(second)
    both = tf_keras.layers.Concatenate(name=_unused(model, "both_classes"))([first, second])
    return tf_keras.Model(model.inputs, both, name=model.name)


def _unused(model: Any, name: str) -> str:
    taken = {layer.name for layer in model.layers}
    while name in taken:
        name += "_"
    return name
