"""The words that signatures are written in: kinds of artifacts, ranges of numbers, and markers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

Kind = Literal[
    "Source",
    "Dataset",
    "Model",
    "LiteModel",
    "CostSamples",
    "Report",
    "Release",
    "Metrics",
    "Page",
    "Curve",
]
ImageName = Literal["train", "device", "light", "train-gpu"]
"""A container image: see ``images.py``."""

PathRule = Literal["first", "middle", "last"]
"""Where on a variant's path a component may stand: it begins one, may follow, or ends one."""

Resource = Literal["device"]
"""What a step may need for itself alone: the device that it measures."""

SINGLE_FILE_KINDS: frozenset[Kind] = frozenset({"Metrics", "Page", "Curve"})
"""Kinds whose artifact is one file; every other kind is a folder."""


@dataclass(frozen=True)
class Input:
    """Marks a parameter as the path of an input artifact of this kind."""

    kind: Kind


@dataclass(frozen=True)
class Inputs:
    """Marks a parameter as the paths of any number of input artifacts of this kind."""

    kind: Kind


@dataclass(frozen=True)
class Output:
    """Marks a parameter as the path where an output artifact of this kind is to be written."""

    kind: Kind


SourceIn: TypeAlias = Annotated[Path, Input("Source")]
DatasetIn: TypeAlias = Annotated[Path, Input("Dataset")]
ModelIn: TypeAlias = Annotated[Path, Input("Model")]
LiteModelIn: TypeAlias = Annotated[Path, Input("LiteModel")]
CostSamplesIn: TypeAlias = Annotated[Path, Input("CostSamples")]
ReportIn: TypeAlias = Annotated[Path, Input("Report")]
LiteModelsIn: TypeAlias = Annotated[list[Path], Inputs("LiteModel")]
ReportsIn: TypeAlias = Annotated[list[Path], Inputs("Report")]

DatasetOut: TypeAlias = Annotated[Path, Output("Dataset")]
ModelOut: TypeAlias = Annotated[Path, Output("Model")]
LiteModelOut: TypeAlias = Annotated[Path, Output("LiteModel")]
CostSamplesOut: TypeAlias = Annotated[Path, Output("CostSamples")]
ReportOut: TypeAlias = Annotated[Path, Output("Report")]
ReleaseOut: TypeAlias = Annotated[Path, Output("Release")]
MetricsOut: TypeAlias = Annotated[Path, Output("Metrics")]
PageOut: TypeAlias = Annotated[Path, Output("Page")]
CurveOut: TypeAlias = Annotated[Path, Output("Curve")]

Task: TypeAlias = Literal["verification", "classification"]
Unit: TypeAlias = Literal["identity", "image"]
"""What is drawn as a whole."""

SplitUnit: TypeAlias = Literal["identity", "image", "group"]
"""What is divided as a whole."""

PositiveInt: TypeAlias = Annotated[int, Field(gt=0, le=2**53)]
NonNegativeInt: TypeAlias = Annotated[int, Field(ge=0, le=2**53)]
PositiveFloat: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegativeFloat: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction: TypeAlias = Annotated[float, Field(gt=0, lt=1)]
Seed: TypeAlias = Annotated[int, Field(ge=0, lt=2**31)]

ImageSide: TypeAlias = Annotated[int, Field(gt=0, le=8192)]
"""Rows or columns that images are resized to."""

VectorLength: TypeAlias = Annotated[int, Field(gt=0, le=65_536)]
"""Numbers in an embedding."""

WidthFactor: TypeAlias = Annotated[float, Field(gt=0, le=64)]
"""What the usual width of a network is multiplied by."""

DepthFactor: TypeAlias = Annotated[float, Field(gt=0, le=8)]
"""What the usual length of a network's stages is multiplied by."""

Expansion: TypeAlias = Annotated[float, Field(ge=1, le=16)]
"""Channels inside a block against those that enter it."""

ChannelCount: TypeAlias = Annotated[int, Field(gt=0, le=4096)]
"""Channels of a convolution."""

BatchSize: TypeAlias = Annotated[int, Field(gt=0, le=65_536)]
"""What is computed at once, and so lies in memory at once."""

Threads: TypeAlias = Annotated[int, Field(gt=0, le=1024)]
"""Cores that a step keeps busy."""

Repeats: TypeAlias = Annotated[int, Field(gt=0, le=1_000_000)]
"""How often something random is done again."""

Share: TypeAlias = Annotated[float, Field(ge=0, lt=1)]
"""A part of a whole that is never all of it."""

Several: TypeAlias = Annotated[int, Field(ge=2, le=65_536)]
"""A count of what can only be compared with another of its kind."""


@dataclass(frozen=True)
class Formerly:
    """Marks a parameter that had another name: who still writes it is told the new one.

    Attributes:
        name: The old one.
        unit: What the number is now, where it is not what it was.
    """

    name: str
    unit: str = ""


@dataclass(frozen=True)
class Offered:
    """Marks a parameter that a configuration calls by a shorter name, under its own heading."""

    name: str


@dataclass(frozen=True)
class FromGraph:
    """Marks a parameter that follows from the rest of a configuration, which does not offer it."""


@dataclass(frozen=True)
class OnlyWith:
    """Marks a parameter that means something only where ``parameter`` has one of ``values``."""

    parameter: str
    values: tuple[object, ...]

    @property
    def in_words(self) -> str:
        """What is to be set for the parameter to mean something."""
        *most, last = ("null" if value is None else str(value) for value in self.values)
        return (
            f"{self.parameter}: {', '.join(most)} or {last}"
            if most
            else f"{self.parameter}: {last}"
        )
