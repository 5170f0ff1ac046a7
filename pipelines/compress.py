"""Compress: a configuration becomes the graph of one run.

Variants form a prefix tree: paths that begin alike share their steps, so nothing is made twice.
Every leaf is converted, evaluated and benchmarked; ``select``, the sealed evaluations and
``publish`` end the graph.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import cast

from components.contract.digests import canonical_json
from components.contract.errors import UserError
from components.contract.interface import Interface, interface_of
from pipelines.config.loading import Config
from pipelines.config.parameters import filled
from pipelines.config.sections import REFERENCE, Edge, ImportedTeacher
from pipelines.runs.graph import Flow, Graph, Ref, SourceRef, Step
from pipelines.sources.snapshot import DATA, MODEL, WEIGHTS

_FIXED_WIDTH = ("resnet50",)
_TOLD_MAX = 2  # differences in a name; a number tells the rest apart


@dataclass(frozen=True)
class Node:
    """One edge of the prefix tree: a step that some variants have in common.

    Attributes:
        component: Which one.
        parameters: Complete.
        parent: Index of the node before it, or None after the teacher.
    """

    component: str
    parameters: Mapping[str, object]
    parent: int | None


@dataclass(frozen=True)
class Tree:
    """All paths, merged where they begin alike.

    Attributes:
        nodes: Parents before children.
        leaves: Variant to the index of the node where its path ends.
    """

    nodes: tuple[Node, ...]
    leaves: Mapping[str, int]


def graph_of(config: Config) -> Graph:
    """Return the graph that ``config`` describes; equal configurations give equal graphs.

    Raises:
        UserError: Two variants are the same path.
    """
    tree = tree_of(config)
    names = step_names(tree)
    models = {REFERENCE: Ref("train", "model")}
    steps = [*_teacher(config)]
    for node, name in zip(tree.nodes, names, strict=True):
        previous = Ref("train", "model")
        if node.parent is not None:
            parent = tree.nodes[node.parent]
            previous = Ref(names[node.parent], model_port(parent.component))
        inputs = _by_kind(
            interface_of(node.component), {"Model": previous, "Dataset": Ref("ingest", "dataset")}
        )
        steps.append(_step(config, name, node.component, inputs, node.parameters))
    for variant, index in tree.leaves.items():
        models[variant] = Ref(names[index], model_port(tree.nodes[index].component))
    for variant, model in models.items():
        steps += _leaf(config, variant, model)
    steps += _ending(config, list(models))
    return Graph(name=config.name, steps=tuple(steps), sources=_sources(config))


def _sources(config: Config) -> dict[str, str]:
    teacher = config.teacher
    sources = {DATA: config.data}
    if isinstance(teacher, ImportedTeacher):
        sources[MODEL] = teacher.model
    elif teacher.weights:
        sources[WEIGHTS] = teacher.weights
    return sources


def tree_of(config: Config) -> Tree:
    """Merge the variants' paths.

    Raises:
        UserError: Two variants are the same path.
    """
    nodes: list[Node] = []
    index_of: dict[bytes, int] = {}
    leaves: dict[str, int] = {}
    variant_at: dict[int, str] = {}
    for variant, path in config.variants.items():
        parent: int | None = None
        for edge in path:
            parameters = _edge_parameters(config, edge)
            identity = canonical_json([parent, edge.component, parameters])
            if identity not in index_of:
                index_of[identity] = len(nodes)
                nodes.append(Node(edge.component, parameters, parent))
            parent = index_of[identity]
        assert parent is not None, "a path is never empty"
        if parent in variant_at:
            raise UserError(
                f"variants.{variant}: the same path as variants.{variant_at[parent]}",
                "remove one of the two, or change a parameter",
            )
        leaves[variant] = parent
        variant_at[parent] = variant
    return Tree(tuple(nodes), leaves)


def _edge_parameters(config: Config, edge: Edge) -> dict[str, object]:
    return filled(edge.component, edge.parameters, unless_given=_common(config, edge.component))


def _common(config: Config, component: str) -> dict[str, object]:
    """What holds for every step unless its own parameters say otherwise."""
    common: dict[str, object] = {
        "seed": config.seed, "task": config.task, "confidence": config.confidence,
    }  # fmt: skip
    # What measures a model runs it as an app would, on the threads that its component says.
    if interface_of(component).image == "train":
        common["threads"] = config.threads
    return common


def step_names(tree: Tree) -> tuple[str, ...]:
    """Name every node so that a person reads the picture, each differently.

    ``quantize-int8`` where that is the only one, ``quantize-int8-of-prune-weights-50`` where it is
    not, and where siblings are still alike with the parameters in which they differ.
    """
    labels = [label_of(node) for node in tree.nodes]
    alike = Counter(labels)
    siblings: dict[tuple[int | None, str], list[int]] = {}
    for index, node in enumerate(tree.nodes):
        siblings.setdefault((node.parent, labels[index]), []).append(index)
    names: list[str] = []
    taken: set[str] = set()
    for node, label in zip(tree.nodes, labels, strict=True):
        same = siblings[node.parent, label]
        name = label
        if alike[label] > len(same):
            name += f"-of-{'train' if node.parent is None else names[node.parent]}"
        if len(same) > 1:
            differences = _differences(node, [tree.nodes[index] for index in same])
            name += "".join(islice(differences, _TOLD_MAX))
        number, unique = 2, name
        while unique in taken:
            unique, number = f"{name}-{number}", number + 1
        taken.add(unique)
        names.append(unique)
    return tuple(names)


def label_of(node: Node) -> str:
    """Return what a step does in a few words, such as ``distill-mobilenet-v2-035``."""
    values = node.parameters
    words = [node.component]
    if "backbone" in values:
        words.append(_slug(values["backbone"]))
    if "alpha" in values and values.get("backbone") not in _FIXED_WIDTH:
        words.append(f"{cast('float', values['alpha']):.2f}".replace(".", ""))
    if "scheme" in values:
        words.append(_slug(values["scheme"]))
    if "method" in values and values["method"] != "post_training":
        words.append(_slug(values["method"]))
    if "sparsity" in values:
        words.append(_slug(f"{100 * cast('float', values['sparsity']):.4g}"))
    return "-".join(words)


def _slug(value: object) -> str:
    return re.sub("[^a-z0-9]+", "-", str(value).lower()).strip("-")


def _differences(node: Node, siblings: Sequence[Node]) -> Iterator[str]:
    """Yield the parameters in which nodes that are called alike differ."""
    for name, value in sorted(node.parameters.items()):
        if any(sibling.parameters[name] != value for sibling in siblings):
            yield f"-{_slug(name)}-{_slug(value)}"


def model_port(component: str) -> str:
    """Return the output of a component that is a Model."""
    return next(port.name for port in interface_of(component).outputs if port.kind == "Model")


def _by_kind(interface: Interface, flows: Mapping[str, Ref]) -> dict[str, Flow]:
    """Connect every input of an edge, which takes one model and the data."""
    return {port.name: flows[port.kind] for port in interface.inputs}


def _step(
    config: Config,
    name: str,
    component: str,
    inputs: Mapping[str, Flow],
    parameters: Mapping[str, object],
) -> Step:
    interface = interface_of(component)
    missing = {port.name for port in interface.inputs} ^ inputs.keys()
    assert not missing, f"{name}: inputs {missing} do not fit {component}"
    limit = config.limits.get(component)
    return Step(
        name=name,
        component=component,
        inputs=inputs,
        parameters=parameters,
        memory_gb=(limit and limit.memory_gb) or interface.memory_gb,
        time_limit_s=(limit and limit.minutes and 60 * limit.minutes) or interface.time_limit_s,
    )


def _teacher(config: Config) -> Iterator[Step]:
    """Yield ``ingest`` and ``train``, or the import of the user's model in its place."""
    image = config.image
    by = "identity" if config.task == "verification" else "image"
    shape = {
        "height": image.height, "width": image.width, "channels": image.channels,
        "maximum": image.maximum,
    }  # fmt: skip
    yield _step(
        config,
        "ingest",
        "ingest",
        {"source": SourceRef(DATA)},
        filled(
            "ingest",
            {"by": by, **config.split},
            always=shape,
            unless_given=_common(config, "ingest"),
        ),
    )
    teacher = config.teacher
    imported = isinstance(teacher, ImportedTeacher)
    if imported:
        given: Mapping[str, object] = {}
        always: dict[str, object] = {"trusted": teacher.trusted}
        always |= {"mean": teacher.normalization.mean, "scale": teacher.normalization.scale}
    else:
        given, always = teacher.parameters, {}
    yield _step(
        config,
        "train",
        "train",
        {
            "dataset": Ref("ingest", "dataset"),
            "imported": SourceRef(MODEL) if imported else None,
            "weights": SourceRef(WEIGHTS) if not imported and teacher.weights else None,
        },
        filled("train", given, always=always, unless_given=_common(config, "train")),
    )


def _leaf(config: Config, variant: str, model: Ref) -> Iterator[Step]:
    """Yield what follows every path: convert, evaluate, and benchmark on each device."""
    yield _step(
        config,
        f"convert-{variant}",
        "convert",
        _by_kind(interface_of("convert"), {"Model": model}),
        filled("convert", {}, unless_given=_common(config, "convert")),
    )
    lite = Ref(f"convert-{variant}", "lite")
    yield _step(
        config,
        f"evaluate-{variant}",
        "evaluate",
        {"model": lite, "dataset": Ref("ingest", "dataset"), "thresholds": None},
        _evaluation(config, "selection"),
    )
    for device, name in zip(config.devices, config.device_names, strict=True):
        yield _step(
            config,
            f"benchmark-{variant}-{name}",
            "benchmark",
            {"model": lite},
            filled(
                "benchmark",
                device.parameters,
                always={"device": device.kind},
                unless_given=_common(config, "benchmark"),
            ),
        )


def _evaluation(config: Config, split: str) -> dict[str, object]:
    return filled(
        "evaluate",
        config.evaluate,
        always={"split": split},
        unless_given=_common(config, "evaluate"),
    )


def _ending(config: Config, names: Sequence[str]) -> Iterator[Step]:
    """Yield the choice, the one look at the sealed images, and the release."""
    assert names[0] == REFERENCE
    budgets = config.budgets
    yield _step(
        config,
        "select",
        "select",
        {
            "models": _refs((f"convert-{name}" for name in names), "lite"),
            "evaluations": _refs((f"evaluate-{name}" for name in names), "report"),
            "benchmarks": _refs(
                (f"benchmark-{name}-{device}" for name in names for device in config.device_names),
                "report",
            ),
        },
        filled(
            "select",
            config.select,
            always={
                "names": list(names),
                "devices": list(config.device_names),
                "candidates": [name for name in names if name != REFERENCE],
                "metric": config.metric,
                "drop": budgets.drop,
                "size_mb": budgets.size_mb,
                "latency_ms": budgets.latency_ms,
                "minimize": config.minimize,
            },
            unless_given=_common(config, "select"),
        ),
    )
    for name, model, thresholds in (
        ("evaluate-sealed", Ref("select", "winner"), Ref("select", "winner_evaluation")),
        (
            "evaluate-sealed-teacher",
            Ref(f"convert-{REFERENCE}", "lite"),
            Ref(f"evaluate-{REFERENCE}", "report"),
        ),
    ):
        inputs: dict[str, Flow] = {
            "model": model, "dataset": Ref("ingest", "sealed"), "thresholds": thresholds,
        }  # fmt: skip
        yield _step(config, name, "evaluate", inputs, _evaluation(config, "sealed"))
    yield _step(
        config,
        "publish",
        "publish",
        {
            "winner": Ref("select", "winner"),
            "decision": Ref("select", "decision"),
            "sealed": Ref("evaluate-sealed", "report"),
            "sealed_teacher": Ref("evaluate-sealed-teacher", "report"),
        },
        filled(
            "publish",
            {},
            always={"name": config.name, "metric": config.metric, "drop": budgets.drop},
            unless_given=_common(config, "publish"),
        ),
    )


def _refs(steps: Iterable[str], output: str) -> tuple[Ref, ...]:
    return tuple(Ref(step, output) for step in steps)
