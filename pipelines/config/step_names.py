"""Names of the steps that variants are made of: short, and each different."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import cast, get_args

from components.contract.digests import canonical_json
from components.contract.interface import Parameter, interface_of
from components.contract.types import Fraction
from pipelines.config.sections import CONTROL
from pipelines.config.variant_tree import StepNode, VariantTree

_DIFFERENCES_MAX = 2  # differences in a name; a number distinguishes what is still alike
_LENGTH_MAX = 100  # Vertex AI takes 128, and names of outputs and numbers come behind


def step_names(tree: VariantTree, root: str = "train") -> tuple[str, ...]:
    """Name every node so that a person reads the picture, each differently.

    ``quantize-int8`` where that is the only one, ``quantize-int8-of-prune-weights-50`` where it is
    not, and where siblings are still alike with what is unusual about each among them.

    Args:
        tree: The nodes.
        root: Name of the step that makes the model before all of them.
    """
    labels = [label_of(node) for node in tree.nodes]
    alike = Counter(labels)
    siblings: dict[tuple[int | None, str], list[StepNode]] = {}
    for node, label in zip(tree.nodes, labels, strict=True):
        siblings.setdefault((node.parent, label), []).append(node)
    usual = {place: _usual(nodes) for place, nodes in siblings.items()}
    names: list[str] = []
    used: Counter[str] = Counter()
    for node, label in zip(tree.nodes, labels, strict=True):
        place = (node.parent, label)
        name = label
        if alike[label] > len(siblings[place]):
            name += f"-of-{root if node.parent is None else names[node.parent]}"
        unusual = [
            parameter
            for parameter, value in usual[place].items()
            if canonical_json(node.parameters[parameter]) != value
        ]
        for parameter in unusual[:_DIFFERENCES_MAX]:
            value = node.parameters[parameter]
            shown = f"{value:g}" if isinstance(value, float) else value
            name += f"-{_slug(parameter)}-{_slug(shown)}"
        if len(name) > _LENGTH_MAX:
            name = name[:_LENGTH_MAX].rpartition("-")[0]
        unique = name
        while used[unique]:  # at most as often as names were made alike by others' numbers
            used[name] += 1
            unique = f"{name}-{used[name]}"
        used[unique] += 1
        names.append(unique)
    return tuple(names)


def label_of(node: StepNode) -> str:
    """Return what a step does in a few words, such as ``distill-mobilenet-v2-035``."""
    known = {parameter.name: parameter for parameter in interface_of(node.component).parameters}
    words = (
        _word(known[name], node.parameters[name])
        for name in interface_of(node.component).named_by
        if known[name].matters(node.parameters) and node.parameters[name] is not None
    )
    label = "-".join((_slug(node.component), *words))
    return f"{CONTROL}{label}" if node.parameters.get("control") is True else label


def _word(parameter: Parameter, value: object) -> str:
    """Return a value as it stands in a name: parts of a whole in percent, 0.35 as ``035``."""
    if get_args(parameter.annotation)[:2] == get_args(Fraction):
        return _slug(f"{100 * cast('float', value):.4g}")
    return f"{value:.2f}".replace(".", "") if isinstance(value, float) else _slug(value)


def _slug(value: object) -> str:
    return re.sub("[^a-z0-9]+", "-", str(value).lower()).strip("-")


def _usual(nodes: Sequence[StepNode]) -> dict[str, bytes]:
    """Return what is usual of the parameters in which siblings differ: what most have, or default.

    Each value is canonical JSON; the order is that of the names.
    """
    known = {parameter.name: parameter for parameter in interface_of(nodes[0].component).parameters}
    usual: dict[str, bytes] = {}
    for name in sorted(nodes[0].parameters):
        counts = Counter(canonical_json(node.parameters[name]) for node in nodes)
        value, count = counts.most_common(1)[0]
        if len(counts) > 1:
            most = 2 * count > len(nodes)
            usual[name] = value if most else canonical_json(known[name].default)
    return usual
