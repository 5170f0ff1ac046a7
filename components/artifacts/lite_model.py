"""What ``lite.json`` says of a LiteModel: what to feed it and how to read its answer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

from components.artifacts.json_file import JsonFile
from components.artifacts.model import (
    Activation,
    Embedding,
    ImageInput,
    QuantizationPlan,
    Scores,
)
from components.contract.types import Task

MODEL_FILE = "model.tflite"

DType: TypeAlias = Literal["float32", "int8", "uint8"]
LIMITS: Mapping[str, tuple[int, int]] = {"int8": (-128, 127), "uint8": (0, 255)}
"""Lowest and highest value of the integer types that a file can take and give."""

TIE = 1e-3
"""A share of one level, far above rounding noise: where a pixel lies half-way between two levels,
as all do when the mean is 127.5, every one goes up, so that no two of them share a level."""


@dataclass(frozen=True)
class Affine:
    """How integers stand for real numbers: ``real = scale * (integer - zero_point)``."""

    scale: float
    zero_point: int


@dataclass(frozen=True)
class LiteInput(ImageInput):
    """The one input tensor, of shape 1 x height x width x channels.

    Attributes:
        dtype: Type of the tensor.
        quantization: How the integers of an integer tensor stand for normalised pixels.
    """

    dtype: DType = "float32"
    quantization: Affine | None = None

    def value(self, pixel: int) -> float | int:
        """Return what the tensor takes for a pixel of 0 to 255.

        ``(pixel - mean) / scale`` where the tensor is float32. Else the nearest level of that,
        halves upwards.

        Example:
            >>> pixels = LiteInput(8, 8, 1, 127.5, 127.5, "uint8", Affine(1 / 127.5, 127))
            >>> [pixels.value(pixel) for pixel in (0, 128, 255)]
            [0, 128, 255]
        """
        real = (pixel - self.mean) / self.scale
        if self.quantization is None:
            return real
        level = real / self.quantization.scale + self.quantization.zero_point
        low, high = LIMITS[self.dtype]
        return min(max(math.floor(level + 0.5 + TIE), low), high)

    @property
    def takes_pixels(self) -> bool:
        """Whether the bytes of the image are the input as they are.

        For int8 the same bytes less 128, which is what ``byte ^ 0x80`` gives.
        """
        if self.quantization is None:
            return False
        low, _ = LIMITS[self.dtype]
        return all(self.value(pixel) == pixel + low for pixel in range(256))


@dataclass(frozen=True)
class LiteOutput:
    """The one output tensor, of shape 1 x size.

    Attributes:
        kind: ``embedding``: a vector, compared by the cosine. ``scores``: one number a class.
        size: Count of numbers.
        classes: Names in the order of the scores; None for an embedding.
        activation: What scores are, as in ``Scores``; None for an embedding.
        dtype: Type of the tensor.
        quantization: How the integers of an integer tensor stand for real numbers.
    """

    kind: Literal["embedding", "scores"]
    size: int
    classes: tuple[str, ...] | None
    activation: Activation | None
    dtype: DType
    quantization: Affine | None

    @classmethod
    def of(
        cls, output: Embedding | Scores, dtype: DType, quantization: Affine | None
    ) -> LiteOutput:
        """Return what became of a Model's output in the file."""
        scores = output if isinstance(output, Scores) else None
        return cls(
            kind=output.kind,
            size=output.size,
            classes=scores.classes if scores else None,
            activation=scores.activation if scores else None,
            dtype=dtype,
            quantization=quantization,
        )


@dataclass(frozen=True)
class LiteModelInfo(JsonFile):
    """The content of ``lite.json``.

    Attributes:
        task: What the model is for.
        input: What goes in.
        output: What comes out.
        sha256: Of ``model.tflite``.
        size_bytes: Length of ``model.tflite``.
        gzip_bytes: Its length after gzip, level 9: what an app store ships.
        parameters: Count of numbers in the weights of the Keras model.
        steps: What was done to get here, first to last.
        quantization: The plan that was carried out, or None for float32.
        warnings: What a reader must know of the file, one sentence each.
    """

    FILE: ClassVar[str] = "lite.json"
    SCHEMA: ClassVar[int] = 1
    KIND: ClassVar[str] = "LiteModel"
    FIX_ABSENT: ClassVar[str] = "give the folder that convert wrote"
    FIX_VERSION: ClassVar[str] = "run the steps that made it again"

    task: Task
    input: LiteInput
    output: LiteOutput
    sha256: str
    size_bytes: int
    gzip_bytes: int
    parameters: int
    steps: tuple[Mapping[str, Any], ...] = ()
    quantization: QuantizationPlan | None = None
    warnings: tuple[str, ...] = ()
