"""TFMOT's quantization-aware training: networks wrapped, what it skips refused, weights taken out.

TFMOT leaves kernels in float without a word where it does not know what follows them, such as a
ReLU that is a layer of its own behind a convolution without batch norm.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tensorflow_model_optimization.quantization import keras as quantization_keras

from components.artifacts.model import ModelInfo
from components.contract.errors import UserError
from components.ml.graphs.kernels import kernels_of
from components.ml.runtime import tf_keras

_FIX = "write method: own for this variant"


def wrapped(model: Any, info: ModelInfo) -> Any:
    """Return a network of TFMOT's that rounds as an int8 file does, on weights of its own.

    Args:
        model: Functional and flat; it stays as it is.
        info: What was promised of its weights.

    Raises:
        UserError: TFMOT does not take it, would leave kernels of it in float, or would undo what
            was promised.
    """
    if info.promises.zeros or info.promises.shared:
        raise UserError(
            "quantize_aware: method tfmot does not keep the zeros or shared values of the steps "
            "before",
            _FIX,
        )
    copy = tf_keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    try:
        network = quantization_keras.quantize_model(copy)
    except (ValueError, RuntimeError, NotImplementedError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"quantize_aware: TFMOT does not take this network: {reason}", _FIX
        ) from error
    skipped = sorted({*_names_of_kernels(model)} - {*_rounded(network)})
    if skipped:
        raise UserError(
            f"quantize_aware: TFMOT would leave these weights in float: {', '.join(skipped)}", _FIX
        )
    return network


def strip(network: Any, model: Any) -> None:
    """Give ``model`` the weights of a wrapped network, by their names."""
    values = {weight.name: weight.numpy() for weight in network.weights}
    model.set_weights([values[weight.name] for weight in model.weights])


def _names_of_kernels(model: Any) -> Iterator[str]:
    for layer in model.layers:
        for kernel in kernels_of(layer):
            yield kernel.variable.name


def _rounded(network: Any) -> Iterator[str]:
    """Yield the names of the weights that a wrapped network rounds."""
    for layer in network.layers:
        # What TFMOT rounds stands in no public attribute.
        for weight, _, _ in getattr(layer, "_weight_vars", ()):
            yield weight.name
