"""A Keras 3 architecture, rebuilt of Keras 2 layers: functional and sequential, models in models.

The file is data here. Its layers are told in those of Keras 2 by ``keras3_layers``, held against
the list in ``architecture`` and called in the order in which they wait for each other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from components.contract.errors import UserError
from components.ml.formats.keras3_layers import (
    CodeMissing,
    homemade,
    layer_steps,
    not_mapped,
    operation_steps,
)
from components.ml.networks import architecture, refusals
from components.ml.networks.augmentation_layers import AUGMENTATION
from components.ml.networks.layer_steps import LayerStep, TensorOperand
from components.ml.runtime import tf_keras

_DEPTH = 32
_MODELS = {"Functional": "Functional", "Model": "Functional", "Sequential": "Sequential"}
_MODEL_MODULES = re.compile(r"keras(\.models|\.src\.models\.\w+|\.src\.engine\.\w+)?")
_LAYER_MODULES = re.compile(r"keras\.(src\.)?layers(\.\w+)*")
_OPERATION_MODULES = re.compile(r"keras\.(src\.)?ops\.\w+")

Call = Callable[[list[Any], Mapping[str, Any]], Any]


class Weights(Protocol):
    """Where the weights of a layer come from."""

    def settings(self, class_name: str, config: Mapping[str, Any], path: str) -> dict[str, Any]:
        """Return settings that take the place of weights: those of a Normalization."""
        ...

    def watch(self, layer: Any, path: str, where: str) -> None:
        """Remember whose weights lie at a path, and check their shapes before they take memory."""
        ...


@dataclass(frozen=True)
class _TensorOf:
    """A tensor of a file: the layer that made it, which call of it, and which of its results."""

    layer: str
    call: int
    result: int


def build(document: Mapping[str, Any], where: str, weights: Weights, place: str = "") -> Any:
    """Return the ``tf_keras`` model of a ``config.json`` of Keras 3, with fresh weights.

    Args:
        document: The parsed JSON, or that of a model inside of it.
        where: How errors call the file.
        weights: Is told of each layer that may have weights.
        place: Where the weights of a model inside lie, such as ``layers/functional/``.

    Raises:
        NotMapped: Something in it has no counterpart.
        UserError: Its parts do not fit together.
    """
    if _kind(document) != "model":
        if _by_somebody(document):
            raise homemade(f"{where}: {document.get('class_name')}", document.get("module"))
        raise not_mapped(
            where, f"holds a {document.get('class_name')!r} and no Sequential or Functional model"
        )
    return _Builder(where, weights).model(document, place, 0)


def snake_case(class_name: str) -> str:
    """Return how Keras calls the weights of a layer by its class: ``Conv2D`` is ``conv2d``."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", class_name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _kind(entry: Mapping[str, Any]) -> str | None:
    """Say what an entry is, by where Keras defines its class; no module is imported for it."""
    module, name = str(entry.get("module")), str(entry.get("class_name"))
    registered = entry.get("registered_name")
    if registered not in (None, name):
        return None
    if name in _MODELS and _MODEL_MODULES.fullmatch(module):
        return "model"
    if _LAYER_MODULES.fullmatch(module):
        return "layer"
    return "operation" if _OPERATION_MODULES.fullmatch(module) else None


def _by_somebody(entry: Mapping[str, Any]) -> bool:
    """Whether the class of an entry is none of Keras, but registered or defined elsewhere."""
    module, registered = entry.get("module"), entry.get("registered_name")
    elsewhere = not re.fullmatch(r"keras(\.\w+)*", str(module))
    return elsewhere or registered not in (None, entry.get("class_name"))


class _Builder:
    def __init__(self, where: str, weights: Weights) -> None:
        self._where = where
        self._weights = weights

    def model(self, entry: Mapping[str, Any], path: str, depth: int) -> Any:
        """Build a model; its weights lie below ``path``."""
        config = entry.get("config")
        name = str(config.get("name")) if isinstance(config, Mapping) else ""
        here = f"{self._where}: {name!r}"
        entries = config.get("layers") if isinstance(config, Mapping) else None
        if depth > _DEPTH or not isinstance(entries, list) or not isinstance(config, Mapping):
            raise not_mapped(here, "is no model that can be followed")
        if not all(isinstance(one, Mapping) and _named(one) for one in entries):
            raise not_mapped(here, "has layers without a name")
        if len({_named(one) for one in entries}) != len(entries):
            raise not_mapped(here, "has two layers of one name")
        graph = _Connections(here)
        taken = {_named(one) for one in entries}
        for one, place in zip(entries, _places(entries, path), strict=True):
            graph.calls[_named(one)] = self._call(one, place, taken, depth)
        if _MODELS[str(entry["class_name"])] == "Sequential":
            inputs, outputs = graph.in_line(entries)
        else:
            graph.functional = {_named(one) for one in entries if _is_functional(one)}
            inputs, outputs = graph.connected(entries, config)
        if all(any(output is given for given in inputs) for output in outputs):
            return None
        with _explained(here):
            return tf_keras.Model(
                inputs if len(inputs) > 1 else inputs[0],
                outputs if len(outputs) > 1 else outputs[0],
                name=_valid(name),
            )

    def _call(self, entry: Mapping[str, Any], path: str, taken: set[str], depth: int) -> Call:
        """Return the function that calls a layer; what it is made of is made once."""
        name, class_name, kind = _named(entry), str(entry.get("class_name")), _kind(entry)
        here = f"{self._where}: {class_name} {name!r}"
        config = entry.get("config")
        if kind is None or not isinstance(config, Mapping):
            if _by_somebody(entry):
                raise homemade(here, entry.get("module"))
            raise not_mapped(here, f"is defined in {entry.get('module')!r} and not in what is read")
        if kind == "model":
            model = self.model(entry, path, depth + 1)
            keys = _keys(config.get("input_layers"))
            return lambda given, _: (
                given[0] if model is None else _applied(model, given[0], keys, here)
            )
        if kind == "operation":
            return _operation(entry, here, taken)
        if class_name == "InputLayer":
            made = _input(config, here)
            return lambda _, __: made
        if class_name in AUGMENTATION:
            return lambda given, _: given[0]
        settings = self._weights.settings(class_name, config, path)
        with _explained(here):
            chain = layer_steps(class_name, {**config, **settings}, here)
        layers = _layers(chain, name, taken, here)
        self._weights.watch(layers[0], path, here)

        def call(given: list[Any], options: Mapping[str, Any]) -> Any:
            training = options.get("training")
            kept = {"training": training} if isinstance(training, bool) else {}
            odd = [key for key, value in options.items() if value is not None and key not in kept]
            if odd or len(given) != 1:
                raise not_mapped(here, f"is called with more than its input ({', '.join(odd)})")
            return _run(chain, layers, given, here, kept)

        return call


def _named(entry: Mapping[str, Any]) -> str:
    config = entry.get("config")
    return str(entry.get("name") or (config.get("name", "") if isinstance(config, Mapping) else ""))


def _places(entries: list[Any], path: str) -> Iterator[str]:
    """Return where the weights of each layer lie: its class, counted, below its model's place."""
    seen: dict[str, int] = {}
    for entry in entries:
        if _kind(entry) == "operation":
            yield ""
            continue
        name = snake_case(str(entry.get("class_name")))
        number = seen.get(name, -1) + 1
        seen[name] = number
        yield f"{path}layers/{name}{f'_{number}' if number else ''}/"


def _input(config: Mapping[str, Any], where: str) -> Any:
    shape = config.get("batch_shape", config.get("batch_input_shape"))
    if not isinstance(shape, list) or not shape:
        raise not_mapped(where, "says no shape")
    if not all(side is None or (isinstance(side, int) and side > 0) for side in shape):
        raise not_mapped(where, f"has the shape {shape}")
    with _explained(where):
        return tf_keras.Input(shape[1:], name=_valid(str(config.get("name"))))


def _layers(chain: list[LayerStep], name: str, taken: set[str], where: str) -> list[Any]:
    """Make the layers of some steps; the first has the name of the one that they stand for."""
    layers: list[Any] = []
    for number, step in enumerate(chain):
        own = _valid(name)
        if number or own != name:
            own = _free(f"{own}_{snake_case(step.class_name)}" if number else own, taken)
        with _explained(where):
            config = {**step.config, "name": own}
            layers.append(architecture.layer(step.class_name, config, where.rpartition(": ")[0]))
    return layers


def _valid(name: str) -> str:
    """Return a name that Keras 2 takes: its letters are fewer than those of Keras 3."""
    valid = re.sub(r"[^A-Za-z0-9_.\\/>-]", "_", name)
    return valid if re.match(r"[A-Za-z0-9.]", valid) else f"layer{valid}"


def _free(name: str, taken: set[str]) -> str:
    number, free = 1, name
    while free in taken:
        number, free = number + 1, f"{name}_{number}"
    taken.add(free)
    return free


def _run(
    chain: list[LayerStep],
    layers: list[Any],
    given: list[Any],
    where: str,
    options: Mapping[str, Any],
) -> Any:
    """Call the layers of some steps on tensors; without steps nothing happens to the first."""
    values = [*given]
    for step, layer in zip(chain, layers, strict=True):
        inputs = [values[number] for number in step.inputs]
        with _explained(where):
            values.append(layer(inputs if len(inputs) > 1 else inputs[0], **options))
        options = {}
    return values[-1] if chain else given[0]


def _is_functional(entry: Mapping[str, Any]) -> bool:
    return _kind(entry) == "model" and _MODELS[str(entry["class_name"])] == "Functional"


def _keys(ends: object) -> list[str]:
    """Return the names by which a model takes its inputs; none where it takes a list."""
    return sorted(map(str, ends)) if isinstance(ends, Mapping) else []


def _applied(model: Any, given: Any, keys: list[str], where: str) -> Any:
    """Call a model inside; its inputs are in the order of their keys, where it has such."""
    if isinstance(given, Mapping):
        if sorted(given) != keys:
            raise not_mapped(where, f"is called with {', '.join(sorted(given))} by name")
        given = [given[key] for key in keys]
    if isinstance(given, list) and len(given) == 1:
        given = given[0]
    with _explained(where):
        return model(given)


def _operation(entry: Mapping[str, Any], where: str, taken: set[str]) -> Call:
    """Return the function that applies an operation, which has no weights to share."""
    config, name = entry["config"], _named(entry)

    def call(given: list[Any], options: Mapping[str, Any]) -> Any:
        tensors: list[Any] = []

        def described(value: Any) -> Any:
            if isinstance(value, list):
                return [described(item) for item in value]
            if value is None or isinstance(value, Mapping | str | int | float):
                return value
            tensors.append(value)
            return TensorOperand(value.shape.rank)

        arguments = [described(value) for value in given]
        named = {key: described(value) for key, value in options.items()}
        chain = operation_steps(str(entry["class_name"]), config, arguments, named, where)
        return _run(chain, _layers(chain, name, taken, where), tensors, where, {})

    return call


class _Connections:
    """The layers of one model and the tensors between them."""

    def __init__(self, where: str) -> None:
        self._where = where
        self.calls: dict[str, Call] = {}
        self.functional: set[str] = set()

    def in_line(self, entries: list[Any]) -> tuple[list[Any], list[Any]]:
        """Call one layer after the other; return the first tensor and the last."""
        if not entries or entries[0].get("class_name") != "InputLayer":
            raise UserError(
                f"{self._where} was saved before it was built, so it has no weights",
                "build it for its image, model.build((None, height, width, channels)), train it, "
                "and save it again",
            )
        flow = first = self.calls[_named(entries[0])]([], {})
        for entry in entries[1:]:
            flow = self.calls[_named(entry)]([flow], {})
        return [first], [flow]

    def connected(
        self, entries: list[Any], config: Mapping[str, Any]
    ) -> tuple[list[Any], list[Any]]:
        """Call the layers as the file connects them; return the model's inputs and outputs."""
        done: dict[tuple[str, int], list[Any]] = {}
        waiting = [
            (_named(entry), number, node)
            for entry in entries
            for number, node in enumerate(_nodes(entry, self._where))
        ]
        while waiting:
            later: list[Any] = []
            for name, number, node in waiting:
                awaited = _references(node, self._where)
                if any((one.layer, one.call) not in done for one in awaited):
                    later.append((name, number, node))
                    continue
                given = [self._value(value, done) for value in node["args"]]
                options = {k: self._value(v, done) for k, v in node["kwargs"].items()}
                done[name, number] = _listed(self.calls[name](given, options))
            if len(later) == len(waiting):
                raise not_mapped(self._where, f"connects {later[0][0]!r} in a circle or to nothing")
            waiting = later
        return (
            [self._end(one, done) for one in _ends(config.get("input_layers"), self._where)],
            [self._end(one, done) for one in _ends(config.get("output_layers"), self._where)],
        )

    def _end(self, one: _TensorOf, done: Mapping[tuple[str, int], list[Any]]) -> Any:
        """Return an input or output; at the ends functional models count a call of their own."""
        call = one.call - 1 if one.layer in self.functional else one.call
        return self._tensor(replace(one, call=call), done)

    def _value(self, value: Any, done: Mapping[tuple[str, int], list[Any]]) -> Any:
        if isinstance(value, list):
            return [self._value(item, done) for item in value]
        if isinstance(value, Mapping) and "class_name" not in value:
            return {str(key): self._value(item, done) for key, item in value.items()}
        reference = _reference(value, self._where)
        return value if reference is None else self._tensor(reference, done)

    def _tensor(self, one: _TensorOf, done: Mapping[tuple[str, int], list[Any]]) -> Any:
        results = done.get((one.layer, one.call), [])
        if not 0 <= one.result < len(results):
            raise not_mapped(self._where, f"has no result {one.result} of {one.layer!r}")
        return results[one.result]


def _nodes(entry: Mapping[str, Any], where: str) -> list[Mapping[str, Any]]:
    """Return the calls of a layer: each with ``args`` and ``kwargs``."""
    if entry.get("class_name") == "InputLayer":
        return [{"args": [], "kwargs": {}}]
    nodes = entry.get("inbound_nodes")
    valid = isinstance(nodes, list) and all(
        isinstance(node, Mapping)
        and isinstance(node.get("args"), list)
        and isinstance(node.get("kwargs"), Mapping)
        for node in nodes
    )
    if not valid or nodes is None:
        raise not_mapped(where, f"does not say how {_named(entry)!r} is called")
    return nodes


def _reference(value: Any, where: str) -> _TensorOf | None:
    """Return which tensor a value of the file is; None where it is another value."""
    if not isinstance(value, Mapping) or value.get("class_name") != "__keras_tensor__":
        return None
    config = value.get("config")
    history = config.get("keras_history") if isinstance(config, Mapping) else None
    return _history(history, where)


def _history(history: object, where: str) -> _TensorOf:
    match history:
        case [str(layer), int(call), int(result)]:
            return _TensorOf(layer, call, result)
        case _:
            raise not_mapped(where, f"names a tensor by {str(history)[:80]}")


def _references(value: Any, where: str) -> list[_TensorOf]:
    """Return the tensors that stand anywhere in the arguments of a call."""
    reference = _reference(value, where)
    if reference is not None:
        return [reference]
    parts = value.values() if isinstance(value, Mapping) else value
    if not isinstance(value, Mapping | list):
        return []
    return [found for part in parts for found in _references(part, where)]


def _ends(value: object, where: str) -> list[_TensorOf]:
    """Return the inputs or outputs of a model: one, a list, or a mapping in order of its keys."""
    if isinstance(value, Mapping):
        return [end for key in sorted(value) for end in _ends(value[key], where)]
    if isinstance(value, list) and value and isinstance(value[0], list | Mapping):
        return [end for one in value for end in _ends(one, where)]
    return [_history(value, where)]


def _listed(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return [one for key in sorted(value) for one in _listed(value[key])]
    return list(value) if isinstance(value, list | tuple) else [value]


class _explained:  # noqa: N801 reads like a statement
    """Turns what Keras says of parts that do not fit into one message."""

    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if isinstance(error, refusals.Homemade):
            raise CodeMissing(error.what, error.fix).with_traceback(None) from error
        if isinstance(error, refusals.Refused):
            raise not_mapped(f"{error.what}", "").with_traceback(None) from error
        if isinstance(error, UserError) or error is None:
            return
        if isinstance(error, KeyError | IndexError | TypeError | ValueError | AttributeError):
            raise not_mapped(self._where, f"does not fit together: {error}") from error
