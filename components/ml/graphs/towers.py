"""The part of a Siamese model that all its inputs share: the tower that makes the embedding.

The other parts, such as a distance in a Lambda layer, are left out before anything is built.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from components.contract.errors import UserError, suggest
from components.ml.networks.architecture import MODELS
from components.ml.networks.augmentation_layers import AUGMENTATION

_UNCHANGED = AUGMENTATION | {
    "InputLayer", "Dropout", "SpatialDropout2D", "GaussianNoise", "GaussianDropout", "Identity",
}  # fmt: skip
"""Layers that give on what they are given when nobody trains."""


def tower_of(architecture: Mapping[str, Any], tower: str, name: str) -> Mapping[str, Any]:
    """Return the JSON of one model inside a model.

    Args:
        architecture: Of the whole model, unchecked.
        tower: Name of the layer.
        name: How errors call the file.

    Raises:
        UserError: There is no such layer, it is a single layer and no model, or other layers
            compute what it is given.
    """
    inside = {
        str(layer.get("name")): layer
        for layer in _layers(architecture)
        if layer.get("class_name") in MODELS
    }
    if tower not in inside:
        raise UserError(
            f"{name} has no model called {tower!r} inside of it; there are: "
            f"{', '.join(inside) or 'none'}",
            suggest(tower, inside)
            if inside
            else "save the part that makes the embedding as a model of its own, and leave tower "
            "away",
        )
    if before := _before(architecture, inside[tower]):
        raise UserError(
            f"{name}: the model {tower!r} is not given the image but what comes of "
            f"{', '.join(before)}, which tower leaves out",
            f'save it alone, model.get_layer("{tower}").save("tower.keras"), and set normalization '
            "under teacher: to what these layers do; or save a model that has them and it inside",
        )
    return {key: item for key, item in inside[tower].items() if key != "inbound_nodes"}


def stored_under(architecture: Mapping[str, Any], tower: str, name: str) -> str:
    """Return where a ``.keras`` file keeps the weights of a model inside a model.

    Keras numbers the layers of each class in the order of the architecture.

    Args:
        architecture: Of the whole model, unchecked.
        tower: Name of the layer.
        name: How errors call the file.

    Raises:
        UserError: See ``tower_of``.
    """
    tower_of(architecture, tower, name)
    kinds: Counter[str] = Counter()
    for layer in _layers(architecture):
        kind = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", str(layer.get("class_name"))).lower()
        if layer["name"] == tower and layer.get("class_name") in MODELS:
            return f"layers/{kind}_{kinds[kind]}" if kinds[kind] else f"layers/{kind}"
        kinds[kind] += 1
    raise KeyError(tower)


def refuse_several(architecture: Mapping[str, Any], name: str, *, keras: str = "tf_keras") -> None:
    """Ask that a model has one input and one output.

    Args:
        architecture: Of the model, unchecked.
        name: How errors call it.
        keras: How the user calls the Keras that wrote it.

    Raises:
        UserError: It has more; the fix names what its inputs share.
    """
    if architecture.get("class_name") not in MODELS:
        return
    inputs, outputs = _counts(architecture)
    if inputs <= 1 and outputs <= 1:
        return
    what = (
        f"{name} has {inputs} input{'s' * (inputs != 1)} and {outputs} output"
        f"{'s' * (outputs != 1)}; one image in and one answer out is expected"
    )
    models, layers = _shared(architecture)
    if models:
        lines = " or ".join(f"teacher: {{model: ..., tower: {model}}}" for model in models)
        raise UserError(f"{what}. Its inputs share {', '.join(models)}", f"write {lines}")
    if inputs > 1 and layers:
        first_call = (
            "get_output_at(0)" if keras == "tf_keras" else "_inbound_nodes[0].output_tensors[0]"
        )
        raise UserError(
            f"{what}. Its inputs share layers up to {layers[-1]!r}",
            f"save these as a model of their own: {keras}.Model(model.inputs[0], "
            f'model.get_layer("{layers[-1]}").{first_call}).save("tower.keras")',
        )
    if inputs > 1 and (path := _deeper(architecture)):
        inner = "".join(f'.get_layer("{layer}")' for layer in path)
        raise UserError(
            f"{what}. Its inputs share {path[-1]}, inside of {path[-2]}",
            f'save that as a model of its own: model{inner}.save("tower.keras")',
        )
    if inputs > 1:
        raise UserError(
            what,
            "give a model of the image alone; or let this one answer every image and learn from "
            "the answers: teacher: {outputs: ./answers.npz}",
        )
    raise UserError(
        what,
        f"save it with the output that counts, such as the first: {keras}.Model(model.inputs, "
        'model.outputs[0]).save("model.keras")',
    )


def _before(architecture: Mapping[str, Any], tower: Mapping[str, Any]) -> list[str]:
    """Return the names of layers that change the image before a model inside sees it."""
    named = {str(layer["name"]): layer for layer in _layers(architecture)}
    waiting, seen = [tower], set[str]()
    while waiting:
        for source in _sources(waiting.pop().get("inbound_nodes"), named.keys()):
            if source not in seen:
                seen.add(source)
                waiting.append(named[source])
    changing = (name for name in named if named[name].get("class_name") not in _UNCHANGED)
    return [name for name in changing if name in seen]


def _sources(nodes: object, names: Collection[str]) -> Iterator[str]:
    """Yield the layers that nodes read, whichever Keras wrote them: ``[name, node, tensor]``."""
    if isinstance(nodes, Mapping):
        nodes = list(nodes.values())
    if not isinstance(nodes, list):
        return
    if len(nodes) >= 3 and isinstance(nodes[0], str) and isinstance(nodes[1], int):
        yield from (name for name in nodes[:1] if name in names)
        return
    for node in nodes:
        yield from _sources(node, names)


def _deeper(architecture: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the way to a model that is called twice by a model inside; empty without one."""
    for layer in _layers(architecture):
        if layer.get("class_name") not in MODELS:
            continue
        models, _ = _shared(layer)
        below = (models[0],) if models else _deeper(layer)
        if below:
            return (str(layer["name"]), *below)
    return ()


def _counts(architecture: Mapping[str, Any]) -> tuple[int, int]:
    """Return how many inputs and outputs a model has; 1 and 1 where it is Sequential."""
    config = _config(architecture)
    if architecture.get("class_name") == "Sequential":
        return 1, 1
    return _endings(config.get("input_layers")), _endings(config.get("output_layers"))


def _shared(architecture: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Return the names of models, and of layers, that a model calls twice or more."""
    twice = [layer for layer in _layers(architecture) if len(layer.get("inbound_nodes") or ()) > 1]
    models = [str(layer["name"]) for layer in twice if layer.get("class_name") in MODELS]
    return models, [str(layer["name"]) for layer in twice if str(layer["name"]) not in models]


def _layers(architecture: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the JSON of the layers, of those that are well formed."""
    layers = _config(architecture).get("layers")
    named: list[Mapping[str, Any]] = []
    for layer in layers if isinstance(layers, list) else ():
        if isinstance(layer, Mapping):
            inner = _config(layer).get("name")
            named.append({"name": inner, **layer})
    return named


def _config(value: Mapping[str, Any]) -> Mapping[str, Any]:
    config = value.get("config")
    return config if isinstance(config, Mapping) else {}


def _endings(value: object) -> int:
    """Count ``[layer, node, tensor]`` triples: one alone, a list of them, or a mapping to them."""
    if isinstance(value, Mapping):
        return sum(_endings(item) for item in value.values())
    if isinstance(value, list) and value and isinstance(value[0], str):
        return 1
    return sum(_endings(item) for item in value) if isinstance(value, list) else 0
