"""What the components offer to compress with: every named choice of a step of a path."""

from collections.abc import Iterator
from typing import Literal, get_args, get_origin

from pipelines.config.parameters import offered, steps_of_paths

OF_TRAINING = {
    "loss", "optimizer", "keep", "augment", "class_weight", "output_type", "input_type",
    "label_weight", "answers_of",
}  # fmt: skip
"""Parameters with names for values that are no techniques of compression."""


def choices(annotation: object) -> tuple[object, ...]:
    """The values of a Literal, wherever an annotation holds it."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return tuple(value for part in get_args(annotation) for value in choices(part))


def techniques() -> Iterator[tuple[str, str, object]]:
    """Every named choice that a step of a path offers."""
    for component in steps_of_paths():
        for parameter in offered(component).parameters:
            if parameter.name not in OF_TRAINING:
                for value in choices(parameter.annotation):
                    yield component, parameter.name, value
