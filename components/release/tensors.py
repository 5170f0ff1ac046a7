"""Tensors: what goes into the model of a release and what comes out, in numbers and in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from components.artifacts.framing import Framing
from components.artifacts.lite_model import LIMITS, TIE, LiteInput, LiteOutput
from components.artifacts.model import Activation

_ROUNDING = 0.5 + TIE
_NUMBERS: Mapping[Activation, str] = {
    "softmax": "The numbers are probabilities.",
    "sigmoid": "The numbers are scores from 0 to 1. Each judges its label alone (sigmoid, "
    "multi-label): they need not sum to 1, and several labels may hold.",
    "none": "The numbers are logits.",
    "other": "The numbers are scores: the larger the likelier, on no known scale.",
}
"""What the numbers of a classifier are; tests hold each against a file that answers so."""


def input_of(given: LiteInput, framing: Framing) -> dict[str, Any]:
    """Return everything about the one input tensor, in numbers and in words."""
    shape = (1, given.height, given.width, given.channels)
    quantization = None
    if given.quantization:
        low, high = LIMITS[given.dtype]
        quantization = {
            **asdict(given.quantization), "lowest": low, "highest": high, "rounding": _ROUNDING,
        }  # fmt: skip
    return {
        "shape": list(shape),
        "dtype": given.dtype,
        "layout": "NHWC: batch, rows from the top, columns from the left, channels",
        "channels": "grey" if given.channels == 1 else "red, green, blue",
        "pixels": "whole numbers from 0 (dark) to 255 (bright)",
        "normalization": {"mean": given.mean, "scale": given.scale},
        "quantization": quantization,
        "takes_pixels": given.takes_pixels,
        "formula": _input_formula(given, framing),
        **({} if framing == Framing() else {"framing": asdict(framing)}),
    }


def _input_formula(given: LiteInput, framing: Framing) -> str:
    size = framing.in_words(given.height, given.width)
    normal = f"(pixel - {_exact(given.mean)}) / {_exact(given.scale)}"
    if given.quantization is None:
        return f"{size} Feed {normal} as {given.dtype}."
    if given.takes_pixels and given.dtype == "uint8":
        return f"{size} Feed its pixels as they are, as uint8."
    if given.takes_pixels:
        return f"{size} Feed pixel - 128 as int8."
    low, high = LIMITS[given.dtype]
    scale, zero = given.quantization.scale, given.quantization.zero_point
    return (
        f"{size} Feed floor({normal} / {scale!r} + {zero} + {_ROUNDING!r}), no lower than {low} "
        f"and no higher than {high}, as {given.dtype}."
    )


def _exact(number: float) -> str:
    """Write a number such that nothing of it is lost, and 1.0 as 1."""
    return repr(number).removesuffix(".0")


def output_of(answer: LiteOutput, threshold: float | None) -> dict[str, Any]:
    """Return everything about the one output tensor, in numbers and in words."""
    quantization = answer.quantization
    real = "The numbers are real numbers as they are."
    if quantization:
        real = (
            f"The real numbers are (number - {quantization.zero_point}) * {quantization.scale!r}."
        )
    common = {
        "shape": [1, answer.size],
        "dtype": answer.dtype,
        "quantization": asdict(quantization) if quantization else None,
        "formula": real,
    }
    if answer.kind == "embedding":
        return {**common, "meaning": "embedding", "compare": _compare(answer.size, threshold)}
    assert answer.activation, "scores say what they are"
    return {
        **common,
        "meaning": "scores",
        "activation": answer.activation,
        "labels": list(answer.classes or ()),
        "read": "The image's class is the label at the position of the largest number. "
        + _NUMBERS[answer.activation],
    }


def _compare(size: int, threshold: float | None) -> dict[str, Any]:
    """Return how two embeddings are compared."""
    rule = (
        "No threshold could be chosen: there were no validation pairs. Choose one on images of "
        "your own."
        if threshold is None
        else f"The two images show the same when it is {threshold!r} or more."
    )
    return {
        "normalize": "l2",
        "similarity": "dot product",
        "threshold": threshold,
        "rule": f"Divide each of the two vectors of {size} numbers by its length, the square root "
        f"of the sum of its squares. Multiply them number by number and add up. {rule}",
    }
