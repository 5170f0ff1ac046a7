"""SavedModels of the user's: programs, which can be run and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from components.artifacts.model import ModelInfo
from components.contract.errors import UserError
from components.ml.formats.model_folder import normalize
from components.ml.runtime import tf

_USUAL = "serving_default"


@dataclass(frozen=True, eq=False)
class Program:
    """A signature with one image in and one answer out.

    Attributes:
        run: From a float32 tensor ``1hwc`` to the answer.
        held: Keeps the variables alive.
        input_shape: Without the batch; None where any size will do.
        output_shape: Without the batch.
        parameters: Count of numbers in its variables.
        weights: Its variables, each with its name.
    """

    run: Callable[[Any], Any]
    held: Any
    input_shape: tuple[int | None, ...]
    output_shape: tuple[int | None, ...]
    parameters: int

    weights: tuple[tuple[str, np.ndarray], ...]

    def run_for_both_classes(self, image: Any) -> Any:
        """Return the probabilities of two classes, where the answer is that of the second."""
        second = self.run(image)
        return tf.concat([1.0 - second, second], axis=1)

    def outputs(self, info: ModelInfo) -> Callable[[np.ndarray], np.ndarray]:
        """Return the function from uint8 images ``nhwc`` to answers ``nd``."""

        def run(images_nhwc: np.ndarray) -> np.ndarray:
            normalized_nhwc = normalize(images_nhwc, info)
            return np.concatenate([self.run(tf.constant(one[None])) for one in normalized_nhwc])

        return run


def load(path: Path, name: str) -> Program:
    """Load a SavedModel; what its author put in is executed.

    Args:
        path: The folder that holds ``saved_model.pb``.
        name: How errors call it.

    Raises:
        UserError: It is damaged, or no signature of it takes one float image and gives one
            answer.
    """
    try:
        held = tf.saved_model.load(str(path))
    except Exception as error:
        raise UserError(
            f"{name} cannot be loaded as a SavedModel: {error}", "export the model again"
        ) from error
    signatures = dict(held.signatures)
    key = _USUAL if _USUAL in signatures or len(signatures) != 1 else next(iter(signatures))
    if key not in signatures:
        raise UserError(
            f"{name} has no signature {_USUAL!r} (there are: {', '.join(signatures) or 'none'})",
            "export the model with model.export or with signatures=",
        )
    signature = signatures[key]
    inputs = signature.structured_input_signature[1]
    outputs = signature.structured_outputs
    if len(inputs) != 1 or len(outputs) != 1:
        raise UserError(
            f"{name} has the inputs {', '.join(inputs)} and the outputs {', '.join(outputs)}; one "
            "image in and one answer out is expected",
            "export a model with one of each",
        )
    (given, spec), (answer, result) = next(iter(inputs.items())), next(iter(outputs.items()))
    if spec.dtype != tf.float32 or spec.shape.rank is None or spec.shape[0] not in (None, 1):
        raise UserError(
            f"{name} takes {spec.dtype.name} of shape {spec.shape}; float32 images, one or any "
            "number at a time, are expected",
            "export the model for float32 input with a batch of any size",
        )
    return Program(
        run=lambda image: signature(**{given: image})[answer],
        held=held,
        input_shape=tuple(spec.shape[1:]),
        output_shape=tuple(result.shape[1:]),
        parameters=sum(int(np.prod(variable.shape)) for variable in signature.variables),
        weights=tuple(
            (variable.name.removesuffix(":0"), variable.numpy()) for variable in signature.variables
        ),
    )
