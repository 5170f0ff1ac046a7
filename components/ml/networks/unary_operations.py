"""Operations on one tensor, told in layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.ml.networks.layer_steps import Builder, LayerStep, TensorOperand


def _alone(operation: str) -> Builder:
    return lambda _, given: None if given else [LayerStep("Arithmetic", {"operation": operation})]


def _over_axes(operation: str) -> Builder:
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


def _spread(operation: str) -> Builder:
    """Return what builds the variance over axes, or its root."""

    def build(tensor: TensorOperand, given: dict[str, Any]) -> list[LayerStep] | None:
        axes = _axes(given.pop("axis", None), tensor)
        keepdims = given.pop("keepdims", False)
        if given or axes is None or not isinstance(keepdims, bool):
            return None
        mean = {"operation": "mean", "axis": axes}
        steps = [
            LayerStep("Arithmetic", {**mean, "keepdims": True}),
            LayerStep("Arithmetic", {"operation": "subtract"}, (0, 1)),
            LayerStep("Multiply", {}, (2, 2)),
            LayerStep("Arithmetic", {**mean, "keepdims": keepdims}, (3,)),
        ]
        if operation == "deviation":
            steps.append(LayerStep("Arithmetic", {"operation": "sqrt"}, (4,)))
        return steps

    return build


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
    approximate = given.pop("approximate", None)
    if given or not isinstance(approximate, bool):
        return None
    if approximate:
        return [LayerStep("Arithmetic", {"operation": "gelu_by_tanh"})]
    return [LayerStep("Activation", {"activation": "gelu"})]


def _log_softmax(tensor: TensorOperand, given: dict[str, Any]) -> list[LayerStep] | None:
    axis = given.pop("axis", -1)
    last = axis == -1 or (tensor.rank is not None and axis == tensor.rank - 1)
    return None if given or not last else [LayerStep("Arithmetic", {"operation": "log_softmax"})]


def _log_sigmoid(_: TensorOperand, given: dict[str, Any]) -> list[LayerStep] | None:
    """-log(1 + exp(-x))."""
    if given:
        return None
    return [
        LayerStep("Rescaling", {"scale": -1.0}),
        LayerStep("Activation", {"activation": "softplus"}, (1,)),
        LayerStep("Rescaling", {"scale": -1.0}, (2,)),
    ]


def _cast(_: TensorOperand, given: dict[str, Any]) -> list[LayerStep] | None:
    """Everything here is computed in 32-bit floats; integers would be rounded."""
    return [] if "float" in str(given.pop("dtype", "")) and not given else None


def _reordered(tensor: TensorOperand, moved: Mapping[int, int]) -> list[LayerStep] | None:
    """Return a Permute that takes axes to other places; the others follow in their order.

    Args:
        tensor: What it is called on.
        moved: For places of the result the axes that come there.
    """
    rank = tensor.rank
    if rank is None:
        return None
    places = {place % rank: axis % rank for place, axis in moved.items()}
    rest = iter([axis for axis in range(rank) if axis not in places.values()])
    axes = [places[place] if place in places else next(rest) for place in range(rank)]
    return [LayerStep("Permute", {"dims": axes[1:]})] if axes[0] == 0 else None


def _swapaxes(tensor: TensorOperand, given: dict[str, Any]) -> list[LayerStep] | None:
    one, two = given.pop("axis1", None), given.pop("axis2", None)
    if given or not isinstance(one, int) or not isinstance(two, int) or tensor.rank is None:
        return None
    one, two = one % tensor.rank, two % tensor.rank
    rest = {axis: axis for axis in range(tensor.rank) if axis not in (one, two)}
    return _reordered(tensor, {**rest, one: two, two: one})


def _moveaxis(tensor: TensorOperand, given: dict[str, Any]) -> list[LayerStep] | None:
    source, destination = given.pop("source", None), given.pop("destination", None)
    pairs = [one if isinstance(one, list | tuple) else [one] for one in (source, destination)]
    flat: list[Any] = [axis for pair in pairs for axis in pair]
    if given or len(pairs[0]) != len(pairs[1]) or not all(isinstance(axis, int) for axis in flat):
        return None
    return _reordered(tensor, dict(zip(pairs[1], pairs[0], strict=True)))


def _round(_: TensorOperand, given: dict[str, Any]) -> list[LayerStep] | None:
    """To the nearest whole number, halves to even ones."""
    whole = given.pop("decimals", 0) == 0 and not given
    return [LayerStep("Arithmetic", {"operation": "round"})] if whole else None


def _then(*steps: LayerStep) -> Builder:
    """Return what builds these steps, each on the result of the one before."""
    chain = [LayerStep(step.class_name, step.config, (at,)) for at, step in enumerate(steps)]
    return lambda _, given: None if given else list(chain)


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


def _resized(operation: str) -> Builder:
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


_ALONE = ("abs", "ceil", "cos", "floor", "log", "rsqrt", "sign", "sin", "sqrt")
_REDUCING = ("log_sum_exp", "max", "mean", "min", "product", "sum")
UNARY: Mapping[str, Builder] = {
    **{name: _alone(name) for name in _ALONE},
    **{name: _over_axes(name) for name in _REDUCING},
    **{name: _resized(name) for name in ("expand_dims", "squeeze")},
    **{name: _spread(name) for name in ("deviation", "variance")},
    "cast": _cast,
    "clip": _clip,
    "expm1": _then(
        LayerStep("Activation", {"activation": "exponential"}),
        LayerStep("Rescaling", {"scale": 1.0, "offset": -1.0}),
    ),
    "flip": _flip,
    "gelu": _gelu,
    "hard_sigmoid": _hard_sigmoid,
    "hard_silu": _hard_silu,
    "hard_tanh": lambda tensor, given: (
        None if given else _clip(tensor, {"x_min": -1.0, "x_max": 1.0})
    ),
    "l2_normalize": _unit,
    "leaky_relu": _leaky,
    "log1p": _then(
        LayerStep("Rescaling", {"scale": 1.0, "offset": 1.0}),
        LayerStep("Arithmetic", {"operation": "log"}),
    ),
    "log_sigmoid": _log_sigmoid,
    "log_softmax": _log_softmax,
    "moveaxis": _moveaxis,
    "negative": lambda _, given: None if given else [LayerStep("Rescaling", {"scale": -1.0})],
    "norm": _norm,
    "reciprocal": _then(
        LayerStep("Arithmetic", {"operation": "power", "constant": -1.0}),
    ),
    "relu6": lambda _, given: None if given else [LayerStep("ReLU", {"max_value": 6.0})],
    "reshape": _reshape,
    "round": _round,
    "slice": _slice,
    "softmax": _softmax,
    "square": lambda _, given: None if given else [LayerStep("Multiply", {}, (0, 0))],
    "swapaxes": _swapaxes,
    "transpose": _transpose,
}
