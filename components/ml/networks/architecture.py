"""Keras architectures as data: checked against a list of known classes before anything is built.

A Keras file may name any class or function of any installed module, and Keras looks it up and calls
it; ``safe_mode`` does not hold that back in every format. So the JSON is read here first: each
object in it must be one that is listed below, and what Keras then gets to see is a copy that holds
nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from components.contract.errors import UserError
from components.ml.networks import keras2_operations
from components.ml.networks.arithmetic import Arithmetic
from components.ml.networks.augmentation_layers import AUGMENTATION
from components.ml.networks.refusals import (
    NO_CODE,
    Refused,
    homemade,
    refuse_activation,
    refuse_class,
    refused,
    unnamed_activation,
)
from components.ml.runtime import tf_keras

MODELS = frozenset({"Functional", "Model", "Sequential"})
LAYERS = frozenset(
    {
        "Activation", "Add", "Average", "AveragePooling1D", "AveragePooling2D",
        "BatchNormalization", "Concatenate", "Conv1D", "Conv2D", "Conv2DTranspose", "Cropping2D",
        "Dense", "DepthwiseConv1D", "DepthwiseConv2D", "Dropout", "ELU", "Flatten",
        "GaussianDropout", "GaussianNoise", "GlobalAveragePooling1D", "GlobalAveragePooling2D",
        "GlobalMaxPooling1D", "GlobalMaxPooling2D", "Identity", "InputLayer",
        "LayerNormalization", "LeakyReLU", "MaxPooling1D", "MaxPooling2D", "Maximum", "Minimum",
        "Multiply", "Normalization", "PReLU", "Permute", "ReLU", "Rescaling", "Reshape",
        "Resizing", "SeparableConv1D", "SeparableConv2D", "Softmax", "SpatialDropout2D",
        "Subtract", "ThresholdedReLU", "UnitNormalization", "UpSampling2D", "ZeroPadding2D",
    }
)  # fmt: skip
"""Layers that compute from their configuration and weights alone."""

OWN_LAYERS: Mapping[str, Any] = {"Arithmetic": Arithmetic}
"""Layers of slimline's own."""

_OBJECTS = {
    "keras.initializers": frozenset(
        {
            "Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "Identity",
            "LecunNormal", "LecunUniform", "Ones", "Orthogonal", "RandomNormal",
            "RandomUniform", "TruncatedNormal", "VarianceScaling", "Zeros",
        }
    ),
    "keras.regularizers": frozenset({"L1", "L1L2", "L2", "OrthogonalRegularizer"}),
    "keras.constraints": frozenset(
        {"MaxNorm", "MinMaxNorm", "NonNeg", "RadialConstraint", "UnitNorm"}
    ),
}  # fmt: skip
_ACTIVATIONS = frozenset(
    {
        "elu", "exponential", "gelu", "hard_sigmoid", "linear", "mish", "relu", "relu6", "selu",
        "sigmoid", "silu", "softmax", "softplus", "softsign", "swish", "tanh",
    }
)  # fmt: skip
_MODULES = frozenset(
    f"{package}{rest}"
    for package in ("keras", "tf_keras")
    for rest in ("", ".layers", ".models", ".initializers", ".regularizers", ".constraints",
                 ".src.engine.functional", ".src.engine.sequential")
) | {Arithmetic.__module__}  # fmt: skip
_LAYER_KINDS = ("keras.layers", Arithmetic.__module__)
_CALL_ARGUMENTS = frozenset({"training", "mask"})
_ARRAYS = frozenset({"__numpy__", "__tensor__"})
"""How Keras writes settings that were given as arrays, such as the scale of each channel."""
_DEPTH = 64


def build(architecture: Mapping[str, Any], where: str) -> Any:
    """Return the Keras model that ``architecture`` describes, with fresh weights.

    Args:
        architecture: What ``model.to_json()`` of Keras 2 holds, parsed.
        where: How an error calls the file.

    Raises:
        Refused: It names something that is not listed here, or is no Keras 2 model. Nothing of
            it has been built then.
        UserError: Its parts do not fit together.
    """
    safe = checked(architecture, where)
    models = {"Sequential": tf_keras.Sequential}
    try:
        with tf_keras.utils.custom_object_scope(OWN_LAYERS):
            return models.get(safe["class_name"], tf_keras.Model).from_config(safe["config"])
    except (
        KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError
    ) as error:  # fmt: skip
        raise UserError(
            f"{where}: its architecture does not fit together: {error}",
            "save the model again with tf_keras (Keras 2) as .keras or .h5",
        ) from error


def layer(class_name: str, config: Mapping[str, Any], where: str) -> Any:
    """Return one listed layer, not yet built.

    Args:
        class_name: Of the layer.
        config: Its configuration.
        where: How an error calls it.

    Raises:
        Refused: It is not listed, or its configuration holds what is not.
        TypeError: The configuration does not fit the layer; also ValueError.
    """
    if class_name not in (*LAYERS, *OWN_LAYERS):
        raise refused(f"{where}: {class_name}", "is not on the list of known layers")
    safe = _object({"class_name": class_name, "config": config}, where, 0)
    with tf_keras.utils.custom_object_scope(OWN_LAYERS):
        return tf_keras.layers.deserialize(safe)


def checked(architecture: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return a copy of ``architecture`` that holds listed classes and plain values alone.

    Args:
        architecture: The parsed JSON: ``{"class_name": "Functional", "config": {...}, ...}``.
        where: How an error calls the file.

    Raises:
        Refused: See ``build``.
    """
    if architecture.get("class_name") not in MODELS:
        if not hasattr(tf_keras.models, str(architecture.get("class_name"))):
            raise homemade(f"{where}: {architecture.get('class_name')!r}")
        raise Refused(
            f"{where}: it holds a {architecture.get('class_name')!r} and no Sequential or "
            "Functional model",
            "save the whole model, built by the Sequential or the functional way",
        )
    return _object(architecture, where, 0)


def is_known(model: Any) -> bool:
    """Whether a Keras model is made of listed layers alone, so that it can be built again."""
    try:
        checked(json.loads(model.to_json()), model.name)
    except (
        Refused,
        NotImplementedError,
    ):  # Keras' answer for layers that cannot describe themselves
        return False
    return True


def _object(value: Mapping[str, Any], where: str, depth: int) -> dict[str, Any]:
    """Check one serialized object: a model, a layer or a part of a layer."""
    value = _without_augmentation(keras2_operations.without_code(value))
    name, config = value.get("class_name"), value.get("config")
    label = config.get("name", "") if isinstance(config, Mapping) else ""
    here = f"{where}: {name} {label!r}" if label else f"{where}: {name}"
    kind = _kind(name)
    if kind is None or not isinstance(config, Mapping):
        if isinstance(config, Mapping):
            refuse_class(here, str(name))
        if name == "Lambda":
            raise Refused(f"{here} carries code, so the file was not opened any further", NO_CODE)
        called = config.get("function") if isinstance(config, Mapping) else None
        calls = f" (it calls {called})" if isinstance(called, str) else ""
        raise refused(here, f"is not on the list of known layers{calls}")
    module, registered = value.get("module"), value.get("registered_name")
    if module is not None and module not in _MODULES:
        raise refused(here, f"names the Python module {module!r}")
    if registered is not None and registered != name:
        raise refused(here, f"names the registered class {registered!r}")
    own = name in OWN_LAYERS
    kept = {"module": kind, "class_name": name, "registered_name": name if own else None}
    if kind in _LAYER_KINDS and "inbound_nodes" in value:
        kept["inbound_nodes"] = _nodes(value["inbound_nodes"], here)
    if "name" in value:
        kept["name"] = _plain(value["name"], here, depth)
    if name in MODELS and name != "Sequential" and isinstance(config.get("layers"), list):
        config = {**config, "layers": keras2_operations.replaced(config["layers"])}
    kept["config"] = {str(key): _entry(str(key), item, here, depth) for key, item in config.items()}
    if name in MODELS and name != "Sequential":
        _check_order(config.get("layers"), here)
    return kept


def _kind(name: object) -> str | None:
    if name in OWN_LAYERS:
        return Arithmetic.__module__
    if name in MODELS or name in LAYERS:
        return "keras.layers"
    return next((module for module, names in _OBJECTS.items() if name in names), None)


def _entry(key: str, value: object, where: str, depth: int) -> object:
    """Check one item of a configuration."""
    if key == "dtype":
        return "float32"  # whatever precision it was trained in, compression starts from this
    if key == "activation":
        _check_activation(value, where)
    if key.endswith("_initializer") and not _is_listed(value):
        return None  # what the weights began from: they are read from the file
    if key == "module" or (key == "function" and value is not None):
        raise refused(where, f"carries code under {key!r}")
    return _plain(value, where, depth + 1)


def _check_activation(value: object, where: str) -> None:
    """Refuse functions that are not listed; layers in this place are checked like others."""
    function = isinstance(value, Mapping) and value.get("class_name") == "function"
    name = value.get("config") if isinstance(value, Mapping) and function else value
    if isinstance(name, Mapping) and "class_name" not in name:
        raise unnamed_activation(where)
    if function or (isinstance(name, str) and name not in _ACTIVATIONS):
        refuse_activation(where, name)


def _is_listed(value: object) -> bool:
    """Whether a part of a layer is a plain value or an object of the list."""
    if isinstance(value, Mapping):
        return _kind(value.get("class_name")) is not None and "class_name" in value
    return value is None or isinstance(value, str)


def _without_augmentation(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an Identity in the place of a layer that changes images in training alone."""
    config = value.get("config")
    if value.get("class_name") not in AUGMENTATION or not isinstance(config, Mapping):
        return value
    kept = {key: config[key] for key in ("name", "batch_input_shape") if key in config}
    return {**value, "class_name": "Identity", "registered_name": None, "config": kept}


def _plain(value: object, where: str, depth: int) -> object:
    """Check any value: a number or text, a list, a mapping, or a serialized object."""
    if depth > _DEPTH:
        raise refused(where, "nests too deep")
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return [_plain(item, where, depth + 1) for item in value]
    if isinstance(value, Mapping):
        if value.get("class_name") in _ARRAYS and isinstance(value.get("config"), Mapping):
            return _plain(value["config"].get("value"), where, depth + 1)
        if "class_name" in value:
            return _object(value, where, depth + 1)
        return {str(key): _entry(str(key), item, where, depth) for key, item in value.items()}
    raise refused(where, f"holds a {type(value).__name__}")


def _nodes(nodes: object, where: str) -> object:
    """Check how a layer is connected: names, indices and the harmless call arguments.

    A call is ``[layer, node, tensor, arguments]``, a list of such, or a mapping to such where a
    model takes its inputs by name.
    """
    if isinstance(nodes, list) and len(nodes) == 4 and isinstance(nodes[0], str):
        return [*(_nodes(part, where) for part in nodes[:3]), _arguments(nodes[3], where)]
    if isinstance(nodes, list):
        return [_nodes(node, where) for node in nodes]
    if isinstance(nodes, Mapping) and all(isinstance(node, list) for node in nodes.values()):
        return {str(key): _nodes(node, where) for key, node in nodes.items()}
    if isinstance(nodes, Mapping):
        return _arguments(nodes, where)
    if isinstance(nodes, str | int) and nodes != "_CONSTANT_VALUE":
        return nodes
    raise refused(where, "is connected to a constant or to something that is no layer")


def _arguments(arguments: object, where: str) -> object:
    """Check what a layer is called with beside tensors."""
    if not isinstance(arguments, Mapping):
        raise refused(where, "is connected to something that is no layer")
    odd = [
        key for key, item in arguments.items()
        if key not in _CALL_ARGUMENTS or not (item is None or isinstance(item, bool))
    ]  # fmt: skip
    if odd:
        raise refused(where, f"is called with {odd[0]!r}")
    return dict(arguments)


def _check_order(layers: object, where: str) -> None:
    """Refuse calls that wait for each other in a circle: Keras would wait with them for ever."""
    left: dict[tuple[str, int], set[tuple[str, int]]] = {}
    for layer in layers if isinstance(layers, list) else ():
        calls = layer.get("inbound_nodes") if isinstance(layer, Mapping) else None
        # A model inside a model counts the call by which it was made itself.
        first = int(isinstance(layer, Mapping) and layer.get("class_name") in MODELS)
        for number, call in enumerate(calls if isinstance(calls, list) else (), start=first):
            left[str(layer.get("name")), number] = _awaited(call)
    while left:
        ready = [call for call, awaited in left.items() if not awaited & set(left)]
        if not ready:
            raise refused(where, f"connects {min(left)[0]!r} in a circle")
        for call in ready:
            del left[call]


def _awaited(call: object) -> set[tuple[str, int]]:
    """Return the calls at the head of ``[name, number, tensor, ...]`` lists, however deep."""
    if isinstance(call, Mapping):
        call = list(call.values())
    if not isinstance(call, list):
        return set()
    if len(call) > 1 and isinstance(call[0], str) and isinstance(call[1], int):
        return {(call[0], call[1])}
    return set[tuple[str, int]]().union(*(_awaited(part) for part in call))
