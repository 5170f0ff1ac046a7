"""Operations that a Keras file calls on tensors, told in layers.

Keras writes ``x * 2`` as a layer that names a function (TFOpLambda of Keras 2) or as an operation
(Keras 3). Neither is executed: what is known is written down here as layers of the list in
``architecture``, those with a name of their own where there are any, because what compresses a
model looks at layers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


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


Operand = TensorOperand | float | list[Any]
Options = Mapping[str, Any]

ACTIVATIONS = {
    "elu": "elu", "exp": "exponential", "gelu": "gelu", "identity": "linear", "mish": "mish",
    "relu": "relu", "selu": "selu", "sigmoid": "sigmoid", "silu": "swish", "softplus": "softplus",
    "softsign": "softsign", "tanh": "tanh",
}  # fmt: skip
"""Operations that are an activation of Keras 2."""
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
    if len(operands) == 2 and tensors and operation in (*_MERGES, "divide", "power"):
        return None if given else _binary(operation, operands)
    if len(operands) != 1 or not tensors:
        return None
    if operation in ACTIVATIONS and not given:
        return [LayerStep("Activation", {"activation": ACTIVATIONS[operation]})]
    known = _UNARY.get(operation)
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


def _alone(operation: str) -> Callable[[TensorOperand, dict[str, Any]], list[LayerStep] | None]:
    return lambda _, given: None if given else [LayerStep("Arithmetic", {"operation": operation})]


def _over_axes(operation: str) -> Callable[[TensorOperand, dict[str, Any]], list[LayerStep] | None]:
    """Return what builds a mean, a sum, ... over axes; over an image's it is a pooling layer."""
    pooling = {"mean": "GlobalAveragePooling2D", "max": "GlobalMaxPooling2D"}.get(operation)

    def build(tensor: TensorOperand, given: dict[str, Any]) -> list[LayerStep] | None:
        axes = _axes(given.pop("axis", None), tensor)
        keepdims = given.pop("keepdims", False)
        if given or axes is None or not isinstance(keepdims, bool):
            return None
        if pooling and tensor.rank == 4 and sorted(axes) == [1, 2]:
            return [LayerStep(pooling, {"keepdims": keepdims})]
        return [
            LayerStep("Arithmetic", {"operation": operation, "axis": axes, "keepdims": keepdims})
        ]

    return build


def _axes(axis: object, tensor: TensorOperand) -> list[int] | None:
    """Return axes as a list; None where they may be those of the images in a batch."""
    axes: list[Any] = list(axis) if isinstance(axis, list | tuple) else [axis]
    if not axes or not all(isinstance(one, int) and not isinstance(one, bool) for one in axes):
        return None
    if tensor.rank is not None:
        axes = [one % tensor.rank for one in axes]
    return None if 0 in axes else axes


def _unit(tensor: TensorOperand, given: dict[str, Any]) -> list[LayerStep] | None:
    axes = _axes(given.pop("axis", None), tensor)
    usual = given.pop("order", 2) == 2 and given.pop("epsilon", 1e-12) == 1e-12
    if given or axes is None or not usual:
        return None
    return [LayerStep("UnitNormalization", {"axis": axes[0] if len(axes) == 1 else axes})]


def _norm(tensor: TensorOperand, given: dict[str, Any]) -> list[LayerStep] | None:
    axes = _axes(given.pop("axis", None), tensor)
    keepdims = given.pop("keepdims", False)
    if given.pop("ord", 2) not in (2, "euclidean") or given or axes is None or len(axes) != 1:
        return None
    total = {"operation": "sum", "axis": axes, "keepdims": keepdims}
    return [
        LayerStep("Multiply", {}, (0, 0)),
        LayerStep("Arithmetic", total, (1,)),
        LayerStep("Arithmetic", {"operation": "sqrt"}, (2,)),
    ]


def _clip(_: TensorOperand, given: dict[str, Any]) -> list[LayerStep] | None:
    low, high = given.pop("x_min", None), given.pop("x_max", None)
    if given or not isinstance(low, int | float) or not isinstance(high, int | float):
        return None
    if low == 0 and high > 0:
        return [LayerStep("ReLU", {"max_value": float(high)})]
    at_least = {"operation": "maximum", "constant": float(low)}
    at_most = {"operation": "minimum", "constant": float(high)}
    return [LayerStep("Arithmetic", at_least), LayerStep("Arithmetic", at_most, (1,))]


def _hard_sigmoid(_: TensorOperand, given: dict[str, Any]) -> list[LayerStep] | None:
    """relu6(x + 3) / 6, as in Keras 3; that of Keras 2 is another function."""
    if given:
        return None
    return [
        LayerStep("Rescaling", {"scale": 1.0, "offset": 3.0}),
        LayerStep("ReLU", {"max_value": 6.0}, (1,)),
        LayerStep("Rescaling", {"scale": 1 / 6, "offset": 0.0}, (2,)),
    ]


def _hard_silu(tensor: TensorOperand, given: dict[str, Any]) -> list[LayerStep] | None:
    gate = _hard_sigmoid(tensor, given)
    return [*gate, LayerStep("Multiply", {}, (0, 3))] if gate else None


def _leaky(_: TensorOperand, given: dict[str, Any]) -> list[LayerStep] | None:
    slope = given.pop("negative_slope", 0.2)
    return None if given else [LayerStep("LeakyReLU", {"alpha": slope})]


def _softmax(_: TensorOperand, given: dict[str, Any]) -> list[LayerStep] | None:
    axis = given.pop("axis", -1)
    return None if given else [LayerStep("Softmax", {"axis": axis})]


def _gelu(_: TensorOperand, given: dict[str, Any]) -> list[LayerStep] | None:
    exact = given.pop("approximate", None) is False and not given
    return [LayerStep("Activation", {"activation": "gelu"})] if exact else None


def _reshape(_: TensorOperand, given: dict[str, Any]) -> list[LayerStep] | None:
    shape = given.pop("shape", None)
    if given or not isinstance(shape, list) or len(shape) < 2 or shape[0] not in (-1, None):
        return None
    if not all(isinstance(side, int) for side in shape[1:]):
        return None
    return [LayerStep("Reshape", {"target_shape": shape[1:]})]


def _transpose(_: TensorOperand, given: dict[str, Any]) -> list[LayerStep] | None:
    axes = given.pop("axes", None)
    if given or not isinstance(axes, list) or axes[:1] != [0]:
        return None
    return [LayerStep("Permute", {"dims": axes[1:]})]


def _resized(operation: str) -> Callable[[TensorOperand, dict[str, Any]], list[LayerStep] | None]:
    def build(_: TensorOperand, given: dict[str, Any]) -> list[LayerStep] | None:
        axis = given.pop("axis", None)
        if given or not (isinstance(axis, int) or (isinstance(axis, list) and axis)) or axis == 0:
            return None
        return [LayerStep("Arithmetic", {"operation": operation, "axis": axis})]

    return build


def _slice(_: TensorOperand, given: dict[str, Any]) -> list[LayerStep] | None:
    """Parts of an image; never some images of a batch."""
    slices = given.pop("slices", None)
    if given or not isinstance(slices, list) or not slices:
        return None
    if slices[0] not in ("...", [None, None, None]):
        return None
    return [LayerStep("Arithmetic", {"operation": "slice", "slices": slices})]


def _flip(tensor: TensorOperand, given: dict[str, Any]) -> list[LayerStep] | None:
    axes = _axes(given.pop("axis", None), tensor)
    if given or axes is None or len(axes) != 1:
        return None
    whole, back = [None, None, None], [None, None, -1]
    if axes[0] > 0:
        slices: list[Any] = [*[whole] * axes[0], back]
    else:
        slices = ["...", back, *[whole] * (-axes[0] - 1)]
    return [LayerStep("Arithmetic", {"operation": "slice", "slices": slices})]


_UNARY: dict[str, Callable[[TensorOperand, dict[str, Any]], list[LayerStep] | None]] = {
    **{name: _alone(name) for name in ("abs", "log", "rsqrt", "sqrt")},
    **{name: _over_axes(name) for name in ("max", "mean", "min", "sum")},
    **{name: _resized(name) for name in ("expand_dims", "squeeze")},
    "clip": _clip,
    "flip": _flip,
    "gelu": _gelu,
    "hard_sigmoid": _hard_sigmoid,
    "hard_silu": _hard_silu,
    "l2_normalize": _unit,
    "leaky_relu": _leaky,
    "negative": lambda _, given: None if given else [LayerStep("Rescaling", {"scale": -1.0})],
    "norm": _norm,
    "relu6": lambda _, given: None if given else [LayerStep("ReLU", {"max_value": 6.0})],
    "reshape": _reshape,
    "slice": _slice,
    "softmax": _softmax,
    "square": lambda _, given: None if given else [LayerStep("Multiply", {}, (0, 0))],
    "transpose": _transpose,
}
