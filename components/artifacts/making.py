"""Making: how a LiteModel came about and what is in its file, in the folder of the file itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

from components.artifacts.history import StepFacts
from components.artifacts.json_file import JsonFile

_FLOAT_SCHEMES = ("float32", "float16", "dynamic")


@dataclass(frozen=True)
class DelegateUse:
    """How the runtime of the machine that converted divides the file.

    Attributes:
        partitions: Count of pieces that the delegate, XNNPACK on a CPU, runs.
        inside: Count of operators in them.
        outside: The other operators, as ``NAME -> name of its output``.
    """

    partitions: int
    inside: int
    outside: tuple[str, ...]


@dataclass(frozen=True)
class Likeness:
    """How far the file answers what the Keras model answers, on the same images.

    Attributes:
        images: How many.
        drawn_from: ``samples`` of the training images, ``calibration`` or ``synthetic``.
        cosine_mean: Mean cosine between the two answers.
        cosine_min: The lowest.
        max_abs: Largest difference of a number.
    """

    images: int
    drawn_from: str
    cosine_mean: float
    cosine_min: float
    max_abs: float


@dataclass(frozen=True)
class Making(JsonFile):
    """The content of ``making.json``: what pages draw of a file; ``conversion.json`` says more.

    Attributes:
        history: What the steps came to.
        scheme: How it is quantized; ``float32`` is not at all.
        anatomy: Bytes of the file by what they are there for.
        operators: How often each operator is in the file.
        float_operators: Those that compute in float in a file of integers.
        delegate: How the runtime divides it; None after a crash.
        gpu_outside: Operators that a phone's GPU would leave to the CPU, by its documentation.
        parity: Its answers beside those of the Keras model; None after a crash.
        brotli_bytes: Length of the file after brotli.
    """

    FILE: ClassVar[str] = "making.json"
    SCHEMA: ClassVar[int] = 1
    KIND: ClassVar[str] = "record of a conversion"
    FIX_ABSENT: ClassVar[str] = "run convert again"
    FIX_VERSION: ClassVar[str] = "run convert again"

    history: tuple[StepFacts, ...]
    scheme: str
    anatomy: Mapping[str, int]
    operators: Mapping[str, int]
    float_operators: tuple[str, ...]
    delegate: DelegateUse | None
    gpu_outside: tuple[str, ...]
    parity: Likeness | None
    brotli_bytes: int

    @classmethod
    def told(cls, history: tuple[StepFacts, ...], conversion: Mapping[str, Any]) -> Making:
        """Return it by what ``conversion.json`` says.

        Args:
            history: Of the Model.
            conversion: The content of that document.
        """
        delegate, parity = conversion["delegate"], conversion["parity"]
        integers = conversion["scheme"] not in _FLOAT_SCHEMES
        return cls(
            history=history,
            scheme=conversion["scheme"],
            anatomy=conversion["anatomy"],
            operators=conversion["operators"]["after"],
            float_operators=tuple(conversion["float_operators"]) if integers else (),
            delegate=delegate
            and DelegateUse(
                delegate["partitions"], delegate["inside"], tuple(delegate["outside_named"])
            ),
            gpu_outside=tuple(conversion["gpu_delegate"]["outside"]),
            parity=None
            if "crashed" in parity
            else Likeness(**{field.name: parity[field.name] for field in fields(Likeness)}),
            brotli_bytes=conversion["brotli_bytes"],
        )

    @classmethod
    def of(cls, path: Path) -> Making | None:
        """Read it from the folder of a LiteModel; None where an earlier version wrote that.

        Raises:
            UserError: Another version wrote the file itself.
        """
        return cls.read(path) if (path / cls.FILE).is_file() else None
