"""Operations in Keras 2 architectures (TFOpLambda, SlicingOpLambda), told in layers.

Keras 2 writes ``x * 2`` as a layer that names a function of TensorFlow. None is looked up here:
the configuration is replaced by that of known layers, and what is not known stays as it is, for
``architecture`` to refuse.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.ml.networks.layer_steps import LayerStep, TensorOperand
from components.ml.networks.operations import steps

_FUNCTIONS = {
    "__operators__.add": "add", "__operators__.getitem": "slice", "cast": "cast",
    "clip_by_value": "clip", "compat.v1.floor_div": "floor_divide", "compat.v1.norm": "norm",
    "compat.v1.squeeze": "squeeze", "compat.v1.transpose": "transpose", "concat": "concatenate",
    "expand_dims": "expand_dims", "identity": "identity", "linalg.l2_normalize": "l2_normalize",
    "math.abs": "abs", "math.add": "add", "math.ceil": "ceil", "math.cos": "cos",
    "math.divide": "divide", "math.exp": "exp", "math.expm1": "expm1", "math.floor": "floor",
    "math.floordiv": "floor_divide", "math.floormod": "modulo", "math.l2_normalize": "l2_normalize",
    "math.log": "log", "math.log1p": "log1p", "math.log_sigmoid": "log_sigmoid",
    "math.log_softmax": "log_softmax", "math.maximum": "maximum", "math.minimum": "minimum",
    "math.multiply": "multiply", "math.negative": "negative", "math.pow": "power",
    "math.reciprocal": "reciprocal", "math.reduce_logsumexp": "log_sum_exp",
    "math.reduce_max": "max", "math.reduce_mean": "mean", "math.reduce_min": "min",
    "math.reduce_prod": "product", "math.reduce_std": "deviation", "math.reduce_sum": "sum",
    "math.reduce_variance": "variance", "math.round": "round", "math.rsqrt": "rsqrt",
    "math.sigmoid": "sigmoid", "math.sign": "sign", "math.sin": "sin", "math.softplus": "softplus",
    "math.sqrt": "sqrt", "math.square": "square", "math.subtract": "subtract", "math.tanh": "tanh",
    "math.truediv": "divide", "nn.bias_add": "add", "nn.elu": "elu", "nn.gelu": "gelu",
    "nn.l2_normalize": "l2_normalize", "nn.leaky_relu": "leaky_relu",
    "nn.log_softmax": "log_softmax", "nn.relu": "relu", "nn.relu6": "relu6", "nn.selu": "selu",
    "nn.silu": "silu", "nn.softmax": "softmax", "nn.softsign": "softsign", "norm": "norm",
    "reshape": "reshape", "reverse": "flip", "stack": "stack", "stop_gradient": "identity",
    "transpose": "transpose",
}  # fmt: skip
_SECOND = ("y", "bias")
_OPTIONS = {
    "alpha": "negative_slope", "clip_value_min": "x_min", "clip_value_max": "x_max",
    "perm": "axes", "slice_spec": "slices",
}  # fmt: skip
_CONSTANT = "_CONSTANT_VALUE"


def replaced(entries: list[Any]) -> list[Any]:
    """Return the layers of a functional model with known operations told in layers.

    Args:
        entries: ``config["layers"]`` of a functional model.
    """
    taken = {str(entry.get("name")) for entry in entries if isinstance(entry, Mapping)}
    told: list[Any] = []
    for entry in entries:
        found = _told(entry, taken) if isinstance(entry, Mapping) else None
        told.extend([entry] if found is None else found)
    return told


def without_code(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a layer that computes the same as a Lambda whose function is known by its name.

    That is how Keras before 2.6 wrote functions of TensorFlow. Later it writes their bytecode,
    which says nothing that could be trusted; such a layer is returned as it is.

    Args:
        value: Any layer.
    """
    config = value.get("config")
    if value.get("class_name") != "Lambda" or not isinstance(config, Mapping):
        return value
    arguments = config.get("arguments") or {}
    axis = arguments.get("axis") if isinstance(arguments, Mapping) else None
    axes = axis if isinstance(axis, list) else [axis]
    known = (
        config.get("function") == "l2_normalize"
        and config.get("function_type") == "function"
        and set(arguments) == {"axis"}
        # Axis 0 is that of the images; without an axis all images would be one vector.
        and all(isinstance(one, int) and one != 0 for one in axes)
    )
    if not known:
        return value
    kept = {key: config[key] for key in ("name", "trainable", "batch_input_shape") if key in config}
    unit = {**kept, "axis": axis}
    return {**value, "class_name": "UnitNormalization", "registered_name": None, "config": unit}


def _told(entry: Mapping[str, Any], taken: set[str]) -> list[Any] | None:
    """Return the layers that stand for an operation; the last one has its name."""
    config, nodes = entry.get("config"), entry.get("inbound_nodes")
    if entry.get("class_name") not in ("TFOpLambda", "SlicingOpLambda"):
        return None
    if not isinstance(config, Mapping) or not isinstance(nodes, list) or len(nodes) != 1:
        return None
    operation = _FUNCTIONS.get(str(config.get("function")))
    call = _call(nodes[0], operation or "")
    if operation is None or call is None:
        return None
    tensors, operands, options = call
    chain = steps(operation, operands, options)
    if chain is None:
        return None
    chain = chain or [LayerStep("Activation", {"activation": "linear"})]
    return _entries(chain, tensors, str(entry.get("name")), taken)


def _entries(
    chain: list[LayerStep], tensors: list[list[Any]], name: str, taken: set[str]
) -> list[dict[str, Any]]:
    places = list(tensors)
    entries: list[dict[str, Any]] = []
    for number, step in enumerate(chain, start=1):
        own = name if number == len(chain) else f"{name}_part{number}"
        while own in taken and number < len(chain):
            own += "_"
        taken.add(own)
        entries.append(
            {
                "module": "keras.layers",
                "class_name": step.class_name,
                "config": {"name": own, **step.config},
                "name": own,
                "inbound_nodes": [[[*places[index], {}] for index in step.inputs]],
            }
        )
        places.append([own, 0, 0])
    return entries


def _call(node: object, operation: str) -> tuple[list[list[Any]], list[Any], dict[str, Any]] | None:
    """Return the tensors of a call, its operands in order and its other arguments."""
    tensors: list[list[Any]] = []

    def operand(value: Any) -> Any:
        if _is_tensor(value):
            tensors.append(list(value[:3]))
            return TensorOperand()
        return value

    match node:
        case [str(), int(), _, dict() as keywords]:
            start: list[Any] = [node]
        case [[str(), int(), int(), dict() as keywords], *_]:
            start = list(node)
        case _:
            return None
    operands = [one[2] if one[0] == _CONSTANT else operand(one) for one in start]
    given = dict(keywords)
    operands += [operand(given.pop(key)) for key in _SECOND if key in given]
    given.pop("name", None)
    if given.get("data_format") in ("NHWC", None):
        given.pop("data_format", None)
    if given.get("conjugate") is False:
        given.pop("conjugate")
    options = {_OPTIONS.get(str(key), str(key)): value for key, value in given.items()}
    if operation == "gelu":
        options.setdefault("approximate", False)  # what tf.nn.gelu does without being told
    if operation == "slice":
        options["slices"] = _slices(options.get("slices"))
    return tensors, operands, options


def _is_tensor(value: object) -> bool:
    match value:
        case [str() as name, int(), int(), *_]:
            return name != _CONSTANT
        case _:
            return False


def _slices(value: object) -> list[Any] | None:
    parts: list[Any] = []
    for part in value if isinstance(value, list) else [value]:
        if isinstance(part, int) and not isinstance(part, bool):
            parts.append(part)
        elif isinstance(part, Mapping) and part.get("class_name") == "__ellipsis__":
            parts.append("...")
        elif isinstance(part, Mapping) and set(part) == {"start", "stop", "step"}:
            parts.append([part[key] for key in ("start", "stop", "step")])
        else:
            return None
    return parts
