"""What no single key can tell of a configuration: faults between keys and in parameters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from components.contract.errors import suggest
from components.contract.interface import interface_of
from components.contract.programs import TRUST_MODULES
from components.ml import imagenet
from components.selection.floors import floor_faults
from components.statistics.metrics import METRICS
from pipelines.config.budget_faults import budget_faults
from pipelines.config.configuration import Config
from pipelines.config.device_faults import device_faults
from pipelines.config.distillation_faults import distillation_faults
from pipelines.config.faults import Fault, Location, where
from pipelines.config.gpu_faults import gpu_faults
from pipelines.config.idle_training_faults import idle_training_faults
from pipelines.config.metadata_faults import metadata_faults
from pipelines.config.network_faults import network_faults
from pipelines.config.order_faults import order_faults
from pipelines.config.parameters import SEARCH_PARTS, offered, search_parameters
from pipelines.config.pruning_faults import pruning_faults
from pipelines.config.quantization_faults import quantize_faults
from pipelines.config.search_faults import search_faults
from pipelines.config.sections import (
    AnswersTeacher,
    ImageShape,
    Parameters,
    PathStep,
    TrainedTeacher,
)


def faults_of(config: Config) -> Iterator[Fault]:
    """Check what spans several keys, and every parameter of a component."""
    yield from _metric_faults(config)
    if config.pairs and config.task == "classification":
        what = "pairs: classification compares no two images"
        yield ("pairs",), what, "remove pairs, or write task: verification"
    if config.auto and config.auto.classes and config.task == "verification":
        what = "auto.classes: verification has no classes, whose embedding is given by the teacher"
        yield ("auto", "classes"), what, "remove classes, or write task: classification"
    yield from _floor_faults(config)
    yield from _split_faults(config)
    if isinstance(config.teacher, TrainedTeacher):
        yield from _parameter_faults(
            ("teacher",), "train", config.teacher.parameters, also=("weights", "model")
        )
        yield from _weights_faults(config.image, config.teacher)
    elif isinstance(config.teacher, AnswersTeacher):
        yield from _answers_faults(config)
    elif config.teacher.modules and not config.teacher.trusted:
        yield ("teacher", "modules"), "teacher.modules: what is in them is executed", TRUST_MODULES
    for name, path in config.variants.items():
        yield from _path_faults(name, path)
        yield from order_faults(("variants", name), path)
        yield from pruning_faults(("variants", name), path)
        yield from quantize_faults(("variants", name), path, config.teacher)
        yield from distillation_faults(config, name, path[0])
        yield from _weight_pruning_faults(config, name, path)
        yield from idle_training_faults(("variants", name), path)
    yield from network_faults(config)
    yield from gpu_faults(config)
    yield from _search_faults(config)
    for index, device in enumerate(config.devices):
        yield from _parameter_faults(
            ("devices", index), device.component, device.parameters, also=("kind", "name")
        )
    yield from device_faults(config)
    yield from budget_faults(config.budgets, config.devices_by_name, config.minimize)
    yield from _parameter_faults(("convert",), "convert", config.convert)
    yield from metadata_faults(config)
    yield from _parameter_faults(("evaluate",), "evaluate", config.evaluate)
    yield from _parameter_faults(("select",), "select", config.select.parameters, also=("per",))


def _search_faults(config: Config) -> Iterator[Fault]:
    """Check the parameters of a search, and what they mean for each other and the rest."""
    yield from search_faults(config)
    given = config.search or {}
    own, more = (search_parameters(given, component) for component in SEARCH_PARTS)
    unknown = {name: value for name, value in given.items() if name not in more}
    yield from _parameter_faults(("search",), "search", {**own, **unknown}, also=tuple(more))
    rest = {name: value for name, value in more.items() if name not in own}
    yield from _parameter_faults(("search",), "cost_samples", rest)


def _answers_faults(config: Config) -> Iterator[Fault]:
    """Refuse what needs a network, where the teacher is known by its answers alone."""
    if config.pairs:
        what = "pairs: the teacher is known by its answers alone, which listed pairs are not among"
        yield ("pairs",), what, "remove pairs, or give the teacher as a model: FILE"
    for variant, (first, *_) in config.variants.items():
        location = ("variants", variant, 0)
        rule = interface_of(first.component).path
        if rule != "first":
            what = "the teacher is known by its answers alone, so there is no network that"
            yield (
                location,
                f"{where(location)}: {what} {first.component} could change",
                "begin the path with a student: {distill: {backbone: mobilenet_v2}}",
            )
            continue
        for key, what in (
            ("mixup", "cannot be asked about mixed images"),
            ("hint_weight", "has no layers to take hints from"),
            ("attention_weight", "has no layers whose attention could be learned"),
        ):
            if first.parameters.get(key):
                place = (*location, first.component, key)
                yield (
                    place,
                    f"{where(place)}: the teacher is known by its answers, and {what}",
                    f"remove {key}",
                )


def _weight_pruning_faults(
    config: Config, variant: str, path: tuple[PathStep, ...]
) -> Iterator[Fault]:
    """Refuse labels without classes, and mixed images of a teacher that cannot be asked."""
    for index, step in enumerate(path):
        if step.component != "prune":
            continue
        location: Location = ("variants", variant, index, "prune")
        if step.parameters.get("method") == "tfmot" and config.task == "verification":
            place = (*location, "method")
            what = "tfmot learns from the labels of a softmax, and the task is verification"
            yield place, f"{where(place)}: {what}", "write method: weights"
        usual = "teacher" if config.task == "classification" else "model"
        theirs = (step.parameters.get("answers_of") or usual) == "teacher"
        ours = step.parameters.get("method", "weights") == "weights"
        asked = theirs and ours and step.parameters.get("label_weight") != 1
        if not isinstance(config.teacher, AnswersTeacher) or not asked:
            continue
        for key, images in (("mixup", "mixed"), ("turns", "turned"), ("mirrors", "mirrored")):
            if step.parameters.get(key):
                place = (*location, key)
                what = f"the teacher is known by its answers, and cannot be asked about {images}"
                fix = f"remove {key}, or write answers_of: model"
                yield place, f"{where(place)}: {what} images", fix


def _metric_faults(config: Config) -> Iterator[Fault]:
    valid = [name for name, metric in METRICS.items() if config.task in metric.tasks]
    if config.metric not in valid:
        yield (
            ("budgets", "metric"),
            f"budgets.metric: {config.task} has no metric {config.metric!r}",
            suggest(config.metric, valid),
        )


def _floor_faults(config: Config) -> Iterator[Fault]:
    budgets = config.budgets
    for fault in floor_faults(config.task, budgets.at_least or {}, budgets.per):
        key = "at_least" if budgets.at_least else "per"
        yield ("budgets", key), f"budgets.{key}: {fault.what}", fault.fix


def _split_faults(config: Config) -> Iterator[Fault]:
    yield from _parameter_faults(("split",), "ingest", config.split)
    if config.task == "classification" and config.split.get("by") == "identity":
        yield (
            ("split", "by"),
            "split.by: classes cannot be split from each other in classification",
            "write by: image, or task: verification",
        )
    if config.task == "classification" and "evaluation_images" in config.split:
        place = ("split", "evaluation_images")
        what = f"{where(place)}: classification is measured on all images of a split"
        yield place, what, "remove evaluation_images"
    defaults = {parameter.name: parameter.default for parameter in offered("ingest").parameters}
    held_out = sum(
        cast("float", config.split.get(name, defaults[name]))
        for name in ("validation", "selection", "sealed")
    )
    if held_out >= 1:
        what = f"split: validation, selection and sealed take {held_out:.3g} of the data"
        yield ("split",), f"{what}: nothing is left to train on", "lower them to well below 1"


def _weights_faults(image: ImageShape, teacher: TrainedTeacher) -> Iterator[Fault]:
    """Check that weights which are published fit what is to be trained."""
    if teacher.weights != imagenet.KEY:
        return
    network, given = teacher.network, teacher.parameters
    place, what = ("teacher", "weights"), "teacher.weights: imagenet"
    published = " or ".join(imagenet.BACKBONES)
    if network.backbone not in imagenet.BACKBONES:
        fix = f"write backbone: {published}, or leave weights away"
        yield place, f"{what} is published for {published}, not for {network.backbone}", fix
        return
    if network.backbone == "mobilenet_v2" and network.alpha not in imagenet.ALPHAS:
        near = min(imagenet.ALPHAS, key=lambda alpha: abs(alpha - network.alpha))
        listed = ", ".join(map(str, imagenet.ALPHAS))
        yield (
            ("teacher", "alpha"),
            f"{what} is published for mobilenet_v2 of alpha {listed} (got {network.alpha:g})",
            f"write alpha: {near}, or leave weights away",
        )
    if min(image.height, image.width) < imagenet.SIDE_MIN:
        side = imagenet.SIDE_MIN
        size = f"height: {max(side, image.height)}, width: {max(side, image.width)}"
        said = f"image is {image.height} x {image.width}"
        yield (
            ("image",),
            f"{what} needs images of {side} x {side} pixels or more; {said}",
            f"write image: {{{size}}}, or leave weights away",
        )
    for name, value in (("mean", imagenet.MEAN), ("scale", imagenet.SCALE)):
        if network.backbone == "mobilenet_v2" and given.get(name, value) != value:
            yield (
                ("teacher", name),
                f"{what} was trained on (pixel - 127.5) / 127.5, and {name} is {given[name]}",
                f"write {name}: {value}, or leave {name} away",
            )


def _parameter_faults(
    location: Location, component: str, given: Parameters, also: tuple[str, ...] = ()
) -> Iterator[Fault]:
    interface = offered(component)
    known = {parameter.name: parameter for parameter in interface.parameters}
    for name, value in given.items():
        if name not in known:
            what, fix = interface.unknown(name, also)
            yield (*location, name), f"{where(location)}: {what}", fix
            continue
        try:
            known[name].validate(value, strict=True)
        except ValueError as error:
            place = where((*location, name))
            sentence = str(error).replace("Input should be", "must be")
            yield (*location, name), f"{place}: {sentence}", f"correct {place} in the file"
    for parameter in known.values():
        if parameter.required and parameter.name not in given:
            yield (
                location,
                f"{where(location)}: {component} needs the parameter {parameter.name!r}",
                f"add {parameter.name}: ... under {where(location)}",
            )


def _path_faults(variant: str, path: tuple[PathStep, ...]) -> Iterator[Fault]:
    for index, step in enumerate(path):
        location = ("variants", variant, index)
        rule, name = interface_of(step.component).path, step.component
        if rule == "first" and index > 0:
            yield (
                location,
                f"{where(location)}: {name} makes a new model, so it comes first on a path",
                "move it to the front, or remove what stands before it",
            )
        yield from _parameter_faults((*location, step.component), step.component, step.parameters)
