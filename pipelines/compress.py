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
from typing import cast

from components.contract.digests import canonical_json
from components.contract.errors import UserError
from components.contract.interface import Interface, Parameter, interface_of
from components.contract.types import Fraction
from pipelines.config.configuration import Config
from pipelines.config.parameters import filled, shared_keys
from pipelines.config.sections import REFERENCE, ImportedTeacher
from pipelines.runs.graph import Flow, Graph, Ref, SourceRef, Step
from pipelines.sources.snapshot import DATA, MODEL, WEIGHTS

_TOLD_MAX = 2  # differences in a name; a number tells the rest apart


@dataclass(frozen=True)
class SharedStep:
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
class VariantTree:
    """All paths, merged where they begin alike.

    Attributes:
        nodes: Parents before children.
        leaves: Variant to the index of the node where its path ends.
    """

    nodes: tuple[SharedStep, ...]
    leaves: Mapping[str, int]


def graph_of(config: Config) -> Graph:
    """Return the graph that ``config`` describes; equal configurations give equal graphs.

    Raises:
        UserError: Two variants are the same path.
    """
    tree = tree_of(config)
    teacher = _teacher(config)
    names = step_names(tree, teacher.name)
    models = {REFERENCE: Ref(teacher.name, model_port(teacher.component))}
    steps = [_ingest(config), teacher]
    for node, name in zip(tree.nodes, names, strict=True):
        previous = models[REFERENCE]
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


def tree_of(config: Config) -> VariantTree:
    """Merge the variants' paths.

    Raises:
        UserError: Two variants are the same path.
    """
    nodes: list[SharedStep] = []
    index_of: dict[bytes, int] = {}
    leaves: dict[str, int] = {}
    variant_at: dict[int, str] = {}
    for variant, path in config.variants.items():
        parent: int | None = None
        for edge in path:
            parameters = _parameters(config, edge.component, edge.parameters)
            identity = canonical_json([parent, edge.component, parameters])
            if identity not in index_of:
                index_of[identity] = len(nodes)
                nodes.append(SharedStep(edge.component, parameters, parent))
            parent = index_of[identity]
        assert parent is not None, "a path is never empty"
        if parent in variant_at:
            raise UserError(
                f"variants.{variant}: the same path as variants.{variant_at[parent]}",
                "remove one of the two, or change a parameter",
            )
        leaves[variant] = parent
        variant_at[parent] = variant
    return VariantTree(tuple(nodes), leaves)


def _parameters(
    config: Config, component: str, given: Mapping[str, object] | None = None, **fixed: object
) -> dict[str, object]:
    """Return the complete parameters of a step.

    Args:
        config: What holds for every step unless its own parameters say otherwise.
        component: Which one.
        given: Its own parameters, as a configuration calls them.
        **fixed: What follows from the graph.
    """
    common = {key: getattr(config, key) for key in shared_keys(component)}
    return filled(component, given or {}, fixed=fixed, unless_given=common)


def step_names(tree: VariantTree, root: str = "train") -> tuple[str, ...]:
    """Name every node so that a person reads the picture, each differently.

    ``quantize-int8`` where that is the only one, ``quantize-int8-of-prune-weights-50`` where it is
    not, and where siblings are still alike with the parameters in which they differ.

    Args:
        tree: The nodes.
        root: Name of the step that makes the model before all of them.
    """
    labels = [label_of(node) for node in tree.nodes]
    alike = Counter(labels)
    siblings: dict[tuple[int | None, str], list[SharedStep]] = {}
    for node, label in zip(tree.nodes, labels, strict=True):
        siblings.setdefault((node.parent, label), []).append(node)
    differing = {place: _differing(nodes) for place, nodes in siblings.items()}
    names: list[str] = []
    used: Counter[str] = Counter()
    for node, label in zip(tree.nodes, labels, strict=True):
        place = (node.parent, label)
        name = label
        if alike[label] > len(siblings[place]):
            name += f"-of-{root if node.parent is None else names[node.parent]}"
        for parameter in differing[place][:_TOLD_MAX]:
            name += f"-{_slug(parameter)}-{_slug(node.parameters[parameter])}"
        unique = name
        while used[unique]:  # at most as often as names were made alike by others' numbers
            used[name] += 1
            unique = f"{name}-{used[name]}"
        used[unique] += 1
        names.append(unique)
    return tuple(names)


def label_of(node: SharedStep) -> str:
    """Return what a step does in a few words, such as ``distill-mobilenet-v2-035``."""
    known = {parameter.name: parameter for parameter in interface_of(node.component).parameters}
    words = (
        _word(known[name], node.parameters[name])
        for name in interface_of(node.component).named_by
        if known[name].matters(node.parameters)
    )
    return "-".join((_slug(node.component), *words))


def _word(parameter: Parameter, value: object) -> str:
    """Return a value as it stands in a name: parts of a whole in percent, 0.35 as ``035``."""
    if parameter.annotation == Fraction:
        return _slug(f"{100 * cast('float', value):.4g}")
    return f"{value:.2f}".replace(".", "") if isinstance(value, float) else _slug(value)


def _slug(value: object) -> str:
    return re.sub("[^a-z0-9]+", "-", str(value).lower()).strip("-")


def _differing(nodes: Sequence[SharedStep]) -> list[str]:
    """Return the parameters in which nodes of one component differ, in the order of the names."""
    return [
        name
        for name in sorted(nodes[0].parameters)
        if len({canonical_json(node.parameters[name]) for node in nodes}) > 1
    ]


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
    device: str | None = None,
) -> Step:
    interface = interface_of(component)
    missing = {port.name for port in interface.inputs} ^ inputs.keys()
    assert not missing, f"{name}: inputs {missing} do not fit {component}"
    assert (interface.occupies == "device") == (device is not None), f"{name}: on which device?"
    limit = config.limits.get(component)
    return Step(
        name=name,
        component=component,
        inputs=inputs,
        parameters=parameters,
        memory_gb=(limit and limit.memory_gb) or interface.memory_gb,
        time_limit_s=(limit and limit.minutes and 60 * limit.minutes) or interface.time_limit_s,
        occupies=device,
    )


def _ingest(config: Config) -> Step:
    """Return the step that turns the user's files into datasets."""
    image = config.image
    by = "identity" if config.task == "verification" else "image"
    parameters = _parameters(
        config,
        "ingest",
        {"by": by, **config.split},
        height=image.height,
        width=image.width,
        channels=image.channels,
        maximum=image.maximum,
        **_framing(config),
    )
    return _step(config, "ingest", "ingest", {"source": SourceRef(DATA)}, parameters)


def _framing(config: Config) -> dict[str, object]:
    """Return how images become those of the model: ingest does it, publish says it to apps."""
    image = config.image
    return {"fit": image.fit, "crop": image.crop, "background": image.background}


def _teacher(config: Config) -> Step:
    """Return the step that makes the teacher: a training, or the import of the user's model."""
    teacher, dataset = config.teacher, Ref("ingest", "dataset")
    if isinstance(teacher, ImportedTeacher):
        parameters = _parameters(
            config,
            "import_model",
            trusted=teacher.trusted,
            mean=teacher.normalization.mean,
            scale=teacher.normalization.scale,
        )
        inputs: dict[str, Flow] = {"source": SourceRef(MODEL), "dataset": dataset}
        return _step(config, "import-model", "import_model", inputs, parameters)
    inputs = {"dataset": dataset, "weights": SourceRef(WEIGHTS) if teacher.weights else None}
    parameters = _parameters(config, "train", teacher.parameters)
    return _step(config, "train", "train", inputs, parameters)


def _leaf(config: Config, variant: str, model: Ref) -> Iterator[Step]:
    """Yield what follows every path: convert, evaluate, and benchmark on each device."""
    yield _step(
        config,
        f"convert-{variant}",
        "convert",
        _by_kind(interface_of("convert"), {"Model": model}),
        _parameters(config, "convert"),
    )
    lite = Ref(f"convert-{variant}", "lite")
    yield _step(
        config,
        f"evaluate-{variant}",
        "evaluate",
        {"model": lite, "dataset": Ref("ingest", "dataset"), "thresholds": None},
        _parameters(config, "evaluate", config.evaluate, split="selection"),
    )
    for device, name in zip(config.devices, config.device_names, strict=True):
        yield _step(
            config,
            f"benchmark-{variant}-{name}",
            "benchmark",
            {"model": lite},
            _parameters(config, "benchmark", device.parameters, device=device.kind),
            device.kind,
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
        _parameters(
            config,
            "select",
            config.select,
            names=list(names),
            devices=list(config.device_names),
            candidates=[name for name in names if name != REFERENCE],
            metric=config.metric,
            drop=budgets.drop,
            size_mb=budgets.size_mb,
            latency_ms=budgets.latency_ms,
            minimize=config.minimize,
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
        parameters = _parameters(config, "evaluate", config.evaluate, split="sealed")
        yield _step(config, name, "evaluate", inputs, parameters)
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
        _parameters(
            config,
            "publish",
            {},
            name=config.name,
            metric=config.metric,
            drop=budgets.drop,
            **_framing(config),
        ),
    )


def _refs(steps: Iterable[str], output: str) -> tuple[Ref, ...]:
    return tuple(Ref(step, output) for step in steps)
