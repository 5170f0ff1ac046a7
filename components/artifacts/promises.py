"""What the steps that made a Model promise of its weights: data that the file is held against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

SharedPer: TypeAlias = Literal["layer", "channel"]
"""What shares its values: all weights of a kernel, or those of each output channel."""


@dataclass(frozen=True)
class SharedWeights:
    """A kernel in which few values occur.

    Attributes:
        layer: Its layer and its name there, such as ``first/kernel``.
        weights: Count of numbers in it.
        unique: Different values at most.
        per: In the whole kernel, or in each of its output channels.
        bits: Set where the values of a channel are equal steps of so many bits.
    """

    layer: str
    weights: int
    unique: int
    per: SharedPer
    bits: int | None = None


@dataclass(frozen=True)
class Promises:
    """What must be true of the weights in the file that is made of a Model.

    A step that changes weights drops every promise that it does not keep; nothing is promised by
    saying nothing.

    Attributes:
        zeros: Weights that are 0, count, at least.
        shared: Kernels in which few values occur.
        ranges: Outputs whose range was trained, count: all of them have it in an int8 file.
    """

    zeros: int = 0
    shared: tuple[SharedWeights, ...] = ()
    ranges: int = 0


NOTHING = Promises()
