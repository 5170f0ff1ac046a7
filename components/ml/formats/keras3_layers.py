"""Layers and operations of Keras 3, told in those of Keras 2; data in, data out."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from components.contract.errors import UserError
from components.ml.networks import architecture, refusals
from components.ml.networks.layer_steps import LayerStep, Operand, TensorOperand
from components.ml.networks.operations import ACTIVATIONS, steps
from components.ml.runtime import tf_keras

_SAME = frozenset({"batch_input_shape", "dtype", "name", "trainable"})
_RENAMED = {"LeakyReLU": {"negative_slope": "alpha"}}
_WITHOUT_EFFECT: dict[str, tuple[object, ...]] = {
    # Values at which a setting that Keras 2 does not have changes nothing.
    "antialias": (False,),
    "data_format": ("channels_last", None),
    "fill_mode": ("constant",),
    "fill_value": (0, 0.0),
    "lora_alpha": (None,),
    "lora_rank": (None,),
    "output_padding": (None,),
    "pad_to_aspect_ratio": (False,),
    "quantization_config": (None,),
    "renorm": (False,),
    "renorm_clipping": (None,),
    "renorm_momentum": (0.99,),
    "rms_scaling": (False,),
    "seed": (None,),
    "synchronized": (False,),
    "use_gate": (None,),
}
_PRECISIONS = frozenset({"float16", "bfloat16", "float32", "float64"})
_OPERATIONS = {
    "Absolute": "abs", "Add": "add", "Amax": "max", "Amin": "min", "Ceil": "ceil", "Clip": "clip",
    "Concatenate": "concatenate", "Cos": "cos", "Divide": "divide", "Elu": "elu", "Exp": "exp",
    "ExpandDims": "expand_dims", "Expm1": "expm1", "Flip": "flip", "Floor": "floor",
    "FloorDivide": "floor_divide", "Gelu": "gelu", "GetItem": "slice",
    "HardSigmoid": "hard_sigmoid", "HardSilu": "hard_silu", "HardTanh": "hard_tanh",
    "Identity": "identity", "LeakyRelu": "leaky_relu", "Log": "log", "Log1p": "log1p",
    "LogSigmoid": "log_sigmoid", "LogSoftmax": "log_softmax", "Logsumexp": "log_sum_exp",
    "Max": "max", "Maximum": "maximum", "Mean": "mean", "Min": "min", "Minimum": "minimum",
    "Mod": "modulo", "Moveaxis": "moveaxis", "Multiply": "multiply", "Negative": "negative",
    "Norm": "norm", "Normalize": "l2_normalize", "Power": "power", "Prod": "product",
    "Reciprocal": "reciprocal", "Relu": "relu", "Relu6": "relu6", "Reshape": "reshape",
    "Round": "round", "Rsqrt": "rsqrt", "Selu": "selu", "Sigmoid": "sigmoid", "Sign": "sign",
    "Silu": "silu", "Sin": "sin", "Softmax": "softmax", "Softplus": "softplus",
    "Softsign": "softsign", "Sqrt": "sqrt", "Square": "square", "Squeeze": "squeeze",
    "Stack": "stack", "Std": "deviation", "StopGradient": "identity", "Subtract": "subtract",
    "Sum": "sum", "Swapaxes": "swapaxes", "Tanh": "tanh", "Transpose": "transpose",
    "TrueDivide": "divide", "Var": "variance",
}  # fmt: skip
_OPTIONS = {"newshape": "shape"}
_OPERANDS = ("x", "x1", "x2", "xs", "arrays", "inputs")
_LAYER_ACTIVATIONS = frozenset({"ELU", "LeakyReLU", "ReLU", "Softmax"})
_ACTIVATION_NAMES = {"hard_swish": "hard_silu", "swish": "silu", "exponential": "exp"}


class NotMapped(UserError):  # noqa: N818 what happened, not what went wrong in the program
    """A file of Keras 3 holds something that has no counterpart here."""


class CodeMissing(NotMapped):
    """It names a class that Keras does not have, so that its code is needed and is not there."""


def not_mapped(where: str, why: str) -> NotMapped:
    """Return the refusal, with the ways that work for every model of Keras 3."""
    return NotMapped(
        f"{where} {why}",
        "if you made this file yourself, set trusted: true (what is in it is then executed; it can "
        "be a teacher, be quantized and be converted, but not pruned); or write the model as a "
        "SavedModel, with model.export('FOLDER'), and set model: FOLDER and trusted: true",
    )


def homemade(where: str, module: object) -> CodeMissing:
    """Return the refusal of a class that Keras does not have.

    Args:
        where: How errors call the layer.
        module: Where the file says that it is defined.
    """
    return CodeMissing(
        f"{where} is defined in {module or 'no module'!r} and not in Keras. It {refusals.HOMEMADE}",
        refusals.MODULES,
    )


def layer_steps(class_name: str, config: Mapping[str, Any], where: str) -> list[LayerStep]:
    """Return what computes a layer at inference: itself, and its activation where Keras 2 has none.

    Args:
        class_name: Of Keras 3.
        config: Its configuration there.
        where: How an error calls the layer.

    Raises:
        NotMapped: It is not on the list, or is set to what Keras 2 cannot do.
        Homemade: Its activation is a function of somebody's own.
    """
    if class_name not in architecture.LAYERS:
        raise not_mapped(where, "is not on the list of known layers")
    _check_precision(config.get("dtype"), where)
    if config.get("data_format") == "channels_first":
        raise not_mapped(where, "takes images with the channels first")
    given = {
        _RENAMED.get(class_name, {}).get(key, key): value
        for key, value in config.items()
        # Weights are read from the file, so how they began is of no account; nor is precision.
        if not key.endswith("_initializer") and key not in ("dtype", "name")
    }
    after: list[LayerStep] = []
    if "activation" in given:
        after = _activation(given.pop("activation"), where)
        if after and after[0].class_name == "Activation":
            given["activation"] = after.pop(0).config["activation"]
        elif class_name != "Activation":
            given["activation"] = "linear"
    if class_name == "Activation" and "activation" not in given:
        return after or [LayerStep("Activation", {"activation": "linear"})]
    kept = _kept(class_name, given, where)
    later = [LayerStep(s.class_name, s.config, tuple(i + 1 for i in s.inputs)) for s in after]
    return [LayerStep(class_name, kept), *later]


def _kept(class_name: str, given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the settings that Keras 2 has; the others must be at what changes nothing."""
    known = _SAME | set(inspect.signature(getattr(tf_keras.layers, class_name)).parameters)
    for parent in inspect.getmro(getattr(tf_keras.layers, class_name)):
        known |= set(inspect.signature(parent).parameters) if parent is not object else set()
    kept = {key: value for key, value in given.items() if key in known}
    for key, value in given.items():
        if key not in known and value not in _WITHOUT_EFFECT.get(key, ()):
            raise not_mapped(where, f"has {key}: {value!r}, which Keras 2 does not know")
    return kept


def _check_precision(policy: object, where: str) -> None:
    """Refuse what was quantized; every other precision is computed in float32 here."""
    name = policy
    if isinstance(policy, Mapping):
        config = policy.get("config")
        name = config.get("name") if isinstance(config, Mapping) else None
        if policy.get("class_name") not in ("DTypePolicy", "FloatDTypePolicy", "Policy"):
            raise not_mapped(where, f"is of the precision {policy.get('class_name')!r}")
    if name is not None and str(name).removeprefix("mixed_") not in _PRECISIONS:
        raise not_mapped(where, f"is of the precision {name!r}")


def _activation(value: object, where: str) -> list[LayerStep]:
    """Return the steps of an activation: none for the linear one."""
    if isinstance(value, Mapping):
        name, config = value.get("class_name"), value.get("config")
        if name in _LAYER_ACTIVATIONS and isinstance(config, Mapping):
            return layer_steps(str(name), config, where)
        if name is None:
            raise refusals.unnamed_activation(where)
        if name == "function":
            # One that Keras exports is written down by name.
            if _is_somebodys(value):
                raise refusals.homemade_activation(where, config)
            value = config
        else:
            value = name
    if value in (None, "linear"):
        return []
    name = _ACTIVATION_NAMES.get(str(value), str(value))
    if name in ("gelu", "softmax", "relu6"):
        return [LayerStep("Activation", {"activation": name})]
    found = steps(name, [TensorOperand()], {})
    if found is None or not (name in ACTIVATIONS or name.startswith(("hard_", "leaky_", "log_"))):
        raise not_mapped(where, f"uses the activation {value!r}, which is not known")
    return found


def _is_somebodys(function: Mapping[str, Any]) -> bool:
    """Whether a function is registered by, or defined in, something else than Keras."""
    module = str(function.get("module") or "builtins").partition(".")[0]
    return module not in ("builtins", "keras") or ">" in str(function.get("config"))


def operation_steps(
    class_name: str,
    config: Mapping[str, Any],
    arguments: Sequence[Any],
    options: Mapping[str, Any],
    where: str,
) -> list[LayerStep]:
    """Return the layers that compute a call of ``keras.ops``; none where it does nothing.

    Args:
        class_name: Of the operation, such as ``TrueDivide``.
        config: Its configuration.
        arguments: What it is called on: ``TensorOperand`` for tensors, and values of the file.
        options: Called with by name, likewise.
        where: How an error calls it.

    Raises:
        NotMapped: It is not known, or is called in a way that is not.
    """
    named = dict(options)
    operands: list[Any] = list(arguments)
    operands += [named.pop(name) for name in _OPERANDS if name in named]
    settings = {k: v for k, v in config.items() if k not in ("name", "dtype", "trainable")} | named
    if class_name == "Cast":
        # Everything here is computed in float32.
        return [] if "float" in str(config.get("dtype")) else _unknown(class_name, where)
    operation = _OPERATIONS.get(class_name)
    if operation is None:
        return _unknown(class_name, where)
    if operation in ("concatenate", "stack") and len(operands) == 1:
        operands = list(operands[0]) if isinstance(operands[0], list) else operands
    if operation == "slice" and len(operands) == 2:
        settings["slices"] = _slices(operands.pop())
    constants = [_operand(operand) for operand in operands]
    if any(constant is None for constant in constants):
        return _unknown(class_name, where)
    found = steps(operation, [c for c in constants if c is not None], _renamed(settings))
    return _unknown(class_name, where) if found is None else found


def _renamed(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {_OPTIONS.get(key, key): value for key, value in settings.items()}


def _unknown(class_name: str, where: str) -> list[LayerStep]:
    raise not_mapped(where, f"calls keras.ops ({class_name}) in a way that is not known")


def _operand(value: Any) -> Operand | None:
    """Return a tensor, a number or a list of numbers; None for anything else."""
    if isinstance(value, Mapping) and value.get("class_name") in ("__numpy__", "__tensor__"):
        config = value.get("config")
        value = config.get("value") if isinstance(config, Mapping) else None
    if isinstance(value, list) and _numbers(value):
        return list[Any](value)
    if isinstance(value, TensorOperand | int | float) and not isinstance(value, bool):
        return value
    return None


def _numbers(value: object) -> bool:
    """Whether this is a list of numbers, or of such lists."""
    return isinstance(value, list) and all(
        (isinstance(one, int | float) and not isinstance(one, bool)) or _numbers(one)
        for one in value
    )


def _slices(value: object) -> list[Any] | None:
    """Return indices in the form of ``Arithmetic``."""
    parts: list[Any] = []
    for part in value if isinstance(value, list) else [value]:
        config = part.get("config") if isinstance(part, Mapping) else None
        if isinstance(part, int) and not isinstance(part, bool):
            parts.append(part)
        elif isinstance(part, Mapping) and part.get("class_name") == "__ellipsis__":
            parts.append("...")
        elif isinstance(config, Mapping) and part.get("class_name") == "__slice__":
            parts.append([config.get(key) for key in ("start", "stop", "step")])
        else:
            return None
    return parts
