"""Operations that a Keras file calls on tensors, told in layers.

Keras writes ``x * 2`` as a layer that names a function (TFOpLambda of Keras 2) or as an operation
(Keras 3). Neither is executed: what is known is written down here as layers of the list in
``architecture``, those with a name of their own where there are any, because what compresses a
model looks at layers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from components.ml.networks.layer_steps import LayerStep, Operand, Options, TensorOperand
from components.ml.networks.unary_operations import UNARY

ACTIVATIONS = {
    "elu": "elu", "exp": "exponential", "gelu": "gelu", "identity": "linear", "mish": "mish",
    "relu": "relu", "selu": "selu", "sigmoid": "sigmoid", "silu": "swish", "softplus": "softplus",
    "softsign": "softsign", "tanh": "tanh",
}  # fmt: skip
"""Operations that are an activation of Keras 2."""
_PAIRS = frozenset({"divide", "floor_divide", "modulo", "power"})
"""Operations on two that no layer of Keras 2 computes."""
_MERGES = {
    "add": "Add", "maximum": "Maximum", "minimum": "Minimum", "multiply": "Multiply",
    "subtract": "Subtract",
}  # fmt: skip


def steps(operation: str, operands: Sequence[Operand], options: Options) -> list[LayerStep] | None:
    """Return the layers that compute an operation; the result is that of the last one.

    Args:
        operation: A name such as ``multiply``: those below.
        operands: Tensors and constants, in order.
        options: The other arguments, such as ``axis``; None stands for the usual value.

    Returns:
        No layers where the operation does nothing; None where it is not known or is called in a
        way that is not.
    """
    given = {name: value for name, value in options.items() if value is not None}
    tensors = [operand for operand in operands if isinstance(operand, TensorOperand)]
    if operation in ("concatenate", "stack") and len(tensors) == len(operands):
        return _joined(operation, len(tensors), given)
    if len(operands) == 2 and tensors and operation in {*_MERGES, *_PAIRS}:
        return None if given else _binary(operation, operands)
    if len(operands) != 1 or not tensors:
        return None
    if operation in ACTIVATIONS and not given:
        return [LayerStep("Activation", {"activation": ACTIVATIONS[operation]})]
    known = UNARY.get(operation)
    return known(tensors[0], dict(given)) if known else None


def _joined(operation: str, count: int, given: dict[str, Any]) -> list[LayerStep] | None:
    axis, inputs = given.pop("axis", None), tuple(range(count))
    if given or not isinstance(axis, int) or not count:
        return None
    if operation == "concatenate":
        return [LayerStep("Concatenate", {"axis": axis}, inputs)]
    return [LayerStep("Arithmetic", {"operation": "stack", "axis": axis}, inputs)]


def _binary(operation: str, operands: Sequence[Operand]) -> list[LayerStep] | None:
    """Two tensors, or a tensor and a constant."""
    first, second = operands
    if isinstance(first, TensorOperand) and isinstance(second, TensorOperand):
        if operation in _MERGES:
            return [LayerStep(_MERGES[operation], {}, (0, 1))]
        return [LayerStep("Arithmetic", {"operation": operation}, (0, 1))]
    constant_first = not isinstance(first, TensorOperand)
    constant = _flat(first if constant_first else second)
    plain = isinstance(constant, int | float) or not any(isinstance(c, list) for c in constant)
    if plain and (rescaled := _rescaled(operation, constant, constant_first=constant_first)):
        return rescaled
    if operation == "maximum" and constant == 0:
        return [LayerStep("ReLU", {})]
    if operation == "power" and not constant_first and constant == 2:
        return [LayerStep("Multiply", {}, (0, 0))]
    config = {"operation": operation, "constant": constant, "constant_first": constant_first}
    return [LayerStep("Arithmetic", config)]


def _rescaled(operation: str, constant: Any, *, constant_first: bool) -> list[LayerStep] | None:
    """Addition of a constant, or multiplication by one; a list has one number a channel."""
    numbers = constant if isinstance(constant, list) else [constant]
    scale: Any = 1.0
    offset: Any = 0.0
    if operation == "multiply":
        scale = constant
    elif operation == "add":
        offset = constant
    elif operation == "subtract":
        scale = -1.0 if constant_first else 1.0
        offset = constant if constant_first else _each(lambda number: -number, constant)
    elif operation == "divide" and not constant_first and all(numbers):
        scale = _each(lambda number: 1.0 / number, constant)
    else:
        return None
    return [LayerStep("Rescaling", {"scale": scale, "offset": offset})]


def _each(function: Callable[[float], float], constant: Any) -> Any:
    return [function(c) for c in constant] if isinstance(constant, list) else function(constant)


def _flat(constant: Any) -> Any:
    """Take off the axes of length 1 before the channels."""
    while isinstance(constant, list) and len(constant) == 1 and isinstance(constant[0], list):
        constant = constant[0]
    return constant
