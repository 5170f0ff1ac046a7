"""Compress: a configuration becomes the graph of one run.

Variants form a prefix tree: paths that begin alike share their steps, so nothing is made twice.
Every leaf is converted, evaluated and benchmarked; ``select``, or one for each device, the sealed
evaluations and ``publish`` end the graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from components.contract.interface import Interface, interface_of
from components.ml import imagenet
from components.ml.settings import Network
from components.ml.techniques.channel_settings import predicts_latency
from components.statistics.one_shot_plan import OneShotPlan
from pipelines.config.configuration import Config
from pipelines.config.device_section import DeviceSection
from pipelines.config.devices import HOST, HostDevice
from pipelines.config.hosts import hosts, tightest_ms
from pipelines.config.other_devices import ResultsDevice
from pipelines.config.parameters import search_parameters
from pipelines.config.search_faults import uses_search
from pipelines.config.sections import (
    LINEAR,
    REFERENCE,
    AnswersTeacher,
    ImageShape,
    ImportedTeacher,
)
from pipelines.config.shell_device import ShellDevice
from pipelines.config.step_names import step_names
from pipelines.config.variant_tree import merged
from pipelines.runs.choices import SEALED, ChoiceSteps, choices_of
from pipelines.runs.graph import Flow, Graph, Place, Ref, SourceRef, Step
from pipelines.sources.snapshot import (
    ANSWERS,
    DATA,
    MODEL,
    MODULES,
    PAIRS,
    PUBLISHED,
    RESULTS,
    RUNNER,
    WEIGHTS,
)

TEACHER_PORT = "teacher"
"""An input of a step of a path that is the teacher, and not what the step before made."""


def graph_of(config: Config) -> Graph:
    """Return the graph that ``config`` describes; equal configurations give equal graphs.

    Raises:
        UserError: Two variants are the same path.
    """
    tree = merged(config)
    teacher = _teacher(config)
    names = step_names(tree, teacher.name)
    models = {REFERENCE: Ref(teacher.name, model_port(teacher.component))}
    steps = [_ingest(config), teacher]
    for node, name in zip(tree.nodes, names, strict=True):
        previous = models[REFERENCE]
        if node.parent is not None:
            parent = tree.nodes[node.parent]
            previous = Ref(names[node.parent], model_port(parent.component))
        flows = {"Model": previous, "Dataset": Ref("ingest", "dataset")}
        if report := _report_for(config, node.component, node.parameters):
            flows["Report"] = report
        inputs = _by_kind(interface_of(node.component), flows, teacher=models[REFERENCE])
        steps.append(_step(config, name, node.component, inputs, node.parameters))
    if any(flow.step == _SEARCH for step in steps for flow in step.refs):
        steps += _search(config, models[REFERENCE])
    if any(flow.step.startswith(_COSTS) for step in steps for flow in step.refs):
        steps += _costs(config)
    for variant, index in tree.leaves.items():
        models[variant] = Ref(names[index], model_port(tree.nodes[index].component))
    for variant, model in models.items():
        if variant == REFERENCE and isinstance(config.teacher, AnswersTeacher):
            steps.append(_evaluate_answers(config, f"evaluate-{REFERENCE}", "selection"))
        else:
            steps += _leaf(config, variant, model)
    if config.baseline == "linear":
        steps += _linear_baseline(config)
        models[LINEAR] = Ref(f"quantize-{LINEAR}", model_port("quantize"))
        steps += _leaf(config, LINEAR, models[LINEAR])
    searched = any(step.name == _SEARCH for step in steps)
    steps += _ending(config, list(models), tree.controls, searched=searched)
    return Graph(name=config.name, steps=tuple(steps), sources=sources_of(config))


_SEARCH, _COSTS = "search", "cost-model-"
"""Names of the steps that search, and of those that fit what a device takes."""


def _report_for(config: Config, component: str, parameters: Mapping[str, object]) -> Ref | None:
    """Return the report of another step that a step of a path needs."""
    if component == "distill" and uses_search(parameters):
        return Ref(_SEARCH, "front")
    if component == "prune" and predicts_latency(parameters):
        return Ref(f"{_COSTS}{hosts(config)[0][1]}", "report")
    return None


def _costs(config: Config) -> Iterator[Step]:
    """Yield the steps that say what networks cost on this machine, with each list of settings."""
    image = config.image
    yield _step(
        config,
        "cost-samples",
        "cost_samples",
        {},
        config.step_parameters(
            "cost_samples",
            search_parameters(config.search or {}, "cost_samples"),
            height=image.height,
            width=image.width,
            channels=image.channels,
        ),
    )
    for device, name in hosts(config):
        yield _step(
            config,
            f"{_COSTS}{name}",
            "cost_model",
            {"samples": Ref("cost-samples", "samples")},
            config.step_parameters("cost_model", device.parameters, device=HOST),
            HOST,
        )


def _search(config: Config, teacher: Ref) -> Iterator[Step]:
    """Yield the step that searches for architectures, and the page of what it finds."""
    budgets = config.budgets
    yield _step(
        config,
        _SEARCH,
        "search",
        {
            "dataset": Ref("ingest", "dataset"),
            "teacher": teacher,
            "costs": tuple(Ref(f"{_COSTS}{name}", "report") for _, name in hosts(config)),
        },
        config.step_parameters(
            "search",
            search_parameters(config.search or {}, "search"),
            size_mb=budgets.size_mb,
            latency_ms=tightest_ms(config),
            drop=budgets.drop,
        ),
    )
    yield _step(
        config,
        "search-page",
        "search_page",
        {"front": Ref(_SEARCH, "front")},
        config.step_parameters("search_page"),
    )


def sources_of(config: Config) -> dict[str, Place]:
    """Return where the user's files lie that a configuration starts from, by source."""
    teacher = config.teacher
    sources: dict[str, Place] = {DATA: config.data}
    if config.pairs:
        sources[PAIRS] = config.pairs
    for device, name in zip(config.devices, config.device_names, strict=True):
        if isinstance(device, ResultsDevice):
            sources[f"{RESULTS}{name}"] = device.file
        elif isinstance(device, ShellDevice) and device.runner:
            sources[f"{RUNNER}{name}"] = device.runner
    if isinstance(teacher, ImportedTeacher):
        sources[MODEL] = teacher.model
        if teacher.modules:
            sources[MODULES] = teacher.modules
    elif isinstance(teacher, AnswersTeacher):
        sources[ANSWERS] = teacher.outputs
    elif teacher.weights:
        sources[WEIGHTS] = _weights(config.image, teacher.weights, teacher.network)
    return sources


def _weights(image: ImageShape, place: str, network: Network) -> str:
    """Return the address of the weights that a training begins from."""
    if place != imagenet.KEY:
        return place
    file = imagenet.file_for(network.backbone, network.alpha, image.height, image.width)
    return f"{PUBLISHED}{file}"


def model_port(component: str) -> str:
    """Return the output of a component that is a Model."""
    return next(port.name for port in interface_of(component).outputs if port.kind == "Model")


def _by_kind(
    interface: Interface, flows: Mapping[str, Ref], teacher: Ref | None = None
) -> dict[str, Flow]:
    """Connect every input of a step of a path: one model, the data and perhaps the teacher."""
    return {
        port.name: teacher
        if teacher and port.name == TEACHER_PORT
        else None
        if port.optional and port.kind not in flows
        else flows[port.kind]
        for port in interface.inputs
    }


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
        gpu=_gpus(config, component, parameters),
    )


def _gpus(config: Config, component: str, parameters: Mapping[str, object]) -> int:
    """Return how many GPUs a step computes on; a linear map is fitted without a training."""
    limit = config.limits.get(component)
    if limit is None or parameters.get("backbone") == "linear":
        return 0
    return limit.gpu


def _ingest(config: Config) -> Step:
    """Return the step that turns the user's files into datasets."""
    image = config.image
    by = "identity" if config.task == "verification" else "image"
    parameters = config.step_parameters(
        "ingest",
        {"by": by, **config.split},
        height=image.height,
        width=image.width,
        channels=image.channels,
        maximum=image.maximum,
        groups_needed=config.budgets.per == "group",
        impostors_needed=config.metric == "tar_1e3",
        ways_needed=_ways(config) if config.metric == "one_shot" else None,
        **_framing(config),
    )
    pairs = SourceRef(PAIRS) if config.pairs else None
    return _step(
        config, "ingest", "ingest", {"source": SourceRef(DATA), "pairs": pairs}, parameters
    )


def _ways(config: Config) -> object:
    """Return how many identities the one-shot trials of evaluate choose between."""
    return config.evaluate.get("ways", OneShotPlan.ways)


def _framing(config: Config) -> dict[str, Any]:
    """Return how images become those of the model: ingest does it, publish says it to apps."""
    image = config.image
    return {"fit": image.fit, "crop": image.crop, "background": image.background}


def _teacher(config: Config) -> Step:
    """Return the step that makes the teacher: a training, or the import of the user's model."""
    teacher, dataset = config.teacher, Ref("ingest", "dataset")
    if isinstance(teacher, ImportedTeacher):
        parameters = config.step_parameters(
            "import_model",
            trusted=teacher.trusted,
            tower=teacher.tower,
            freeze=teacher.freeze,
            resize=teacher.resize,
            mean=teacher.normalization.mean,
            scale=teacher.normalization.scale,
        )
        modules = SourceRef(MODULES) if teacher.modules else None
        inputs: dict[str, Flow] = {
            "source": SourceRef(MODEL), "dataset": dataset, "modules": modules,
        }  # fmt: skip
        return _step(config, "import-model", "import_model", inputs, parameters)
    if isinstance(teacher, AnswersTeacher):
        inputs = {"source": SourceRef(ANSWERS), "dataset": dataset}
        parameters = config.step_parameters("import_answers")
        return _step(config, "import-answers", "import_answers", inputs, parameters)
    inputs = {"dataset": dataset, "weights": SourceRef(WEIGHTS) if teacher.weights else None}
    parameters = config.step_parameters("train", teacher.parameters)
    return _step(config, "train", "train", inputs, parameters)


def _linear_baseline(config: Config) -> Iterator[Step]:
    """Yield the steps that fit a linear map of the pixels, as small as a file of it can be."""
    data, name = Ref("ingest", "dataset"), f"train-{LINEAR}"
    fitted = config.step_parameters("train", {"backbone": "linear", "mean": 128.0, "scale": 128.0})
    yield _step(config, name, "train", {"dataset": data, "weights": None}, fitted)
    yield _step(
        config,
        f"quantize-{LINEAR}",
        "quantize",
        {"model": Ref(name, model_port("train")), "dataset": data},
        config.step_parameters("quantize", {"scheme": "int8", "input_type": "uint8"}),
    )


def _evaluate_answers(config: Config, name: str, split: str, thresholds: Ref | None = None) -> Step:
    """Return the step that measures the answers of a teacher that ran elsewhere."""
    inputs: dict[str, Flow] = {
        "source": SourceRef(ANSWERS),
        "dataset": Ref("ingest", "sealed" if split == "sealed" else "dataset"),
        "imported": Ref("import-answers", "report"),
        "thresholds": thresholds,
    }
    known = {port.name for port in interface_of("evaluate_answers").parameters}
    given = {key: value for key, value in config.evaluate.items() if key in known}
    parameters = config.step_parameters("evaluate_answers", given, split=split)
    return _step(config, name, "evaluate_answers", inputs, parameters)


def _leaf(config: Config, variant: str, model: Ref) -> Iterator[Step]:
    """Yield what follows every path: convert, evaluate, and benchmark on each device."""
    yield _step(
        config,
        f"convert-{variant}",
        "convert",
        _by_kind(interface_of("convert"), {"Model": model}),
        config.step_parameters("convert", config.convert),
    )
    lite = Ref(f"convert-{variant}", "lite")
    yield _step(
        config,
        f"evaluate-{variant}",
        "evaluate",
        {"model": lite, "dataset": Ref("ingest", "dataset"), "thresholds": None},
        config.step_parameters("evaluate", config.evaluate, split="selection"),
    )
    places = zip(config.devices, config.device_names, config.device_places, strict=True)
    for device, name, place in places:
        called = HOST if isinstance(device, HostDevice) else name
        yield _step(
            config,
            f"benchmark-{variant}-{name}",
            device.component,
            {"model": lite, **_given(device, name)},
            config.step_parameters(device.component, device.parameters, device=called),
            place if interface_of(device.component).occupies else None,
        )


def _given(device: DeviceSection, name: str) -> dict[str, Flow]:
    """Return the file of the user's that a step takes measurements out of, or measures with."""
    if isinstance(device, ResultsDevice):
        return {"given": SourceRef(f"{RESULTS}{name}")}
    if isinstance(device, ShellDevice):
        return {"runner": SourceRef(f"{RUNNER}{name}") if device.runner else None}
    return {}


def _ending(
    config: Config, names: Sequence[str], controls: Mapping[str, str], *, searched: bool
) -> Iterator[Step]:
    """Yield the choices, the one look at the sealed images, and the release."""
    assert names[0] == REFERENCE
    choices = choices_of(config.chosen_devices)
    for choice in choices:
        yield _select(config, choice, names, controls, searched=searched)
    for choice in choices:
        winner = Ref(choice.select, "winner")
        yield _sealed(config, choice.sealed, winner, Ref(choice.select, "winner_evaluation"))
    last, thresholds = f"{SEALED}-{REFERENCE}", Ref(f"evaluate-{REFERENCE}", "report")
    if isinstance(config.teacher, AnswersTeacher):
        yield _evaluate_answers(config, last, "sealed", thresholds)
    else:
        yield _sealed(config, last, Ref(f"convert-{REFERENCE}", "lite"), thresholds)
    selects = [choice.select for choice in choices]
    yield _step(
        config,
        "publish",
        "publish",
        {
            "winners": _refs(selects, "winner"),
            "decisions": _refs(selects, "decision"),
            "sealed": _refs((choice.sealed for choice in choices), "report"),
            "sealed_teacher": Ref(last, "report"),
        },
        config.step_parameters(
            "publish",
            name=config.name,
            devices=config.chosen_devices and list(config.chosen_devices),
            metric=config.metric,
            drop=config.budgets.drop,
            **_framing(config),
            **(config.about.model_dump() if config.about else {}),
        ),
    )


def _select(
    config: Config,
    choice: ChoiceSteps,
    names: Sequence[str],
    controls: Mapping[str, str],
    *,
    searched: bool,
) -> Step:
    """Return the step that chooses by all devices, or by one."""
    budgets = config.budgets
    answers = isinstance(config.teacher, AnswersTeacher)
    files = names[1:] if answers else names
    devices = config.device_names if choice.device is None else (choice.device,)
    return _step(
        config,
        choice.select,
        "select",
        {
            "models": _refs((f"convert-{name}" for name in files), "lite"),
            "evaluations": _refs((f"evaluate-{name}" for name in files), "report"),
            "benchmarks": _refs(
                (f"benchmark-{name}-{device}" for name in files for device in devices), "report"
            ),
            "data": Ref("ingest", "report"),
            "reference": Ref(f"evaluate-{REFERENCE}", "report") if answers else None,
            "search": Ref(_SEARCH, "front") if searched else None,
        },
        config.step_parameters(
            "select",
            config.select.parameters,
            names=list(names),
            devices=list(devices),
            candidates=[name for name in names if name in config.variants],
            controls=dict(controls) or None,
            metric=config.metric,
            drop=budgets.drop,
            size_mb=budgets.size_mb,
            at_least=budgets.at_least and dict(budgets.at_least),
            per=budgets.per,
            **_limits(config, choice),
        ),
    )


def _limits(config: Config, choice: ChoiceSteps) -> dict[str, object]:
    """Return what has to be kept on devices, and what is best among those that keep it.

    For one device these are its own limits, and of those for every device what it can tell. Where
    it tells no time, the smallest is best.
    """
    budgets = config.budgets
    if choice.device is None:
        best = config.minimize
        return {**budgets.limits, "by_device": budgets.by_device, "minimize": best}
    listed = dict(zip(config.device_names, config.devices, strict=True))
    tells = listed[choice.device].tells
    own = (budgets.by_device or {}).get(choice.device)
    return {
        **{key: limit for key, limit in budgets.limits.items() if key in tells},
        "by_device": {choice.device: own} if own else None,
        "minimize": config.minimize if "latency_ms" in tells else "size",
    }


def _sealed(config: Config, name: str, model: Ref, thresholds: Ref) -> Step:
    """Return the step that measures a file on the sealed images."""
    inputs: dict[str, Flow] = {
        "model": model, "dataset": Ref("ingest", "sealed"), "thresholds": thresholds,
    }  # fmt: skip
    parameters = config.step_parameters("evaluate", config.evaluate, split="sealed")
    return _step(config, name, "evaluate", inputs, parameters)


def _refs(steps: Iterable[str], output: str) -> tuple[Ref, ...]:
    return tuple(Ref(step, output) for step in steps)
