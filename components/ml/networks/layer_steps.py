"""What an operation on tensors is called on, and the layers that it is told in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True)
class TensorOperand:
    """An operand that is no constant.

    Attributes:
        rank: Count of its axes, images included; None where the file does not say.
    """

    rank: int | None = None


@dataclass(frozen=True)
class LayerStep:
    """One layer.

    Attributes:
        class_name: Of the layer.
        config: Without a name.
        inputs: What it is called on: numbers of the operation's tensors in their order, then of
            the results of the steps before.
    """

    class_name: str
    config: Mapping[str, Any]
    inputs: tuple[int, ...] = (0,)


Operand: TypeAlias = TensorOperand | float | list[Any]
Options: TypeAlias = Mapping[str, Any]
Builder: TypeAlias = Callable[[TensorOperand, dict[str, Any]], list[LayerStep] | None]
"""From a tensor and the other arguments to layers; None where it is called in an unknown way."""
