"""How large a model from outside may be: told from what it declares, before memory is taken."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import h5py

from components.contract.errors import UserError
from components.ml.runtime import tf

MODEL_BYTES_MAX = 2 << 30
"""Of all weights of a network: a ``.tflite`` file holds no more."""

FILE_BYTES_MAX = 3 * MODEL_BYTES_MAX
"""Of all arrays of a file: the weights, and two states that an optimizer has of each."""

OUTPUT_NUMBERS_MAX = 1 << 28
"""Of what one layer makes of one image: 1 GiB in 32-bit floats."""

_SMALLER = "make its layers smaller, then save it again"


def check_file_bytes(declared: int, name: str) -> None:
    """Refuse a file whose arrays say that they are larger than any that is read.

    Raises:
        UserError: Names the limit.
    """
    if declared > FILE_BYTES_MAX:
        raise UserError(
            f"{name} declares {declared:,} bytes of weights; at most {FILE_BYTES_MAX:,} are read",
            "give a smaller model; where a state of the optimizer is in the file, save the model "
            "without: model.save(path, include_optimizer=False)",
        )


def declared_bytes(file: Any) -> int:
    """Return how large all arrays of an open HDF5 file say they are, whatever is stored of them."""
    total = 0

    def add(_: str, item: Any) -> None:
        nonlocal total
        if isinstance(item, h5py.Dataset):
            total += math.prod(item.shape or (), start=int(item.dtype.itemsize))

    file.visititems(add)
    return total


@contextmanager
def limited_weights(name: str) -> Generator[None]:
    """Refuse the first weight that makes a network, which is built in here, larger than any may be.

    Raises:
        UserError: Names the limit.
    """
    total = 0

    def creator(create: Callable[..., Any], **options: Any) -> Any:
        nonlocal total
        shape = options.get("shape")
        if shape is not None:
            sides = tf.TensorShape(shape).as_list()
            total += math.prod(sides, start=tf.as_dtype(options.get("dtype") or "float32").size)
        if total > MODEL_BYTES_MAX:
            raise UserError(
                f"{name} asks for {total:,} bytes of weights or more; at most {MODEL_BYTES_MAX:,} "
                "are built, which is what a .tflite file can hold",
                _SMALLER,
            )
        return create(**options)

    with tf.variable_creator_scope(creator):
        yield


def check_outputs(model: Any, name: str) -> None:
    """Refuse a network with a layer whose answer to one image would fill the memory.

    Raises:
        UserError: Names the layer and the limit.
    """
    for layer in model.layers:
        for shape in tf.nest.flatten(getattr(layer, "output", ())):
            numbers = math.prod(side or 1 for side in tuple(shape.shape)[1:])
            if numbers > OUTPUT_NUMBERS_MAX:
                raise UserError(
                    f"{name}: the layer {layer.name!r} makes {numbers:,} numbers of an image; at "
                    f"most {OUTPUT_NUMBERS_MAX:,} are computed",
                    _SMALLER,
                )
