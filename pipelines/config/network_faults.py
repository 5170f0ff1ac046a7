"""What a configuration can know of a network before it is built: faults between its parameters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from components.ml.networks.fitting_network import block_faults
from components.ml.settings import LossSettings, Optimization
from components.ml.techniques.fisher_settings import FisherSettings
from pipelines.config.configuration import Config
from pipelines.config.faults import Fault, Location, where
from pipelines.config.parameters import offered
from pipelines.config.sections import AnswersTeacher, Parameters, TrainedTeacher

_UNUSED_BY_LINEAR = frozenset(
    {field.name for part in (LossSettings, FisherSettings, Optimization) for field in fields(part)}
    | {"dropout", "batch_norm_momentum", "embedding_norm", "turns", "mirrors", "weights"}
)
"""What ``train`` does not look at where it fits a linear map in one go."""

_OF_COMPARISONS = (
    "margin", "scale_of_cosines", "contrast_weight", "identities_per_batch", "images_per_identity",
)  # fmt: skip
"""What the losses of embeddings and the batches of their training have."""


def network_faults(config: Config) -> Iterator[Fault]:
    """Check every network that is trained, and what its images become in training."""
    for location, component, given in _trained(config):
        if component in ("train", "distill"):
            yield from _idle_faults(location, component, given)
        yield from _task_faults(config, location, given)
        yield from _turn_faults(config, location, given)
        yield from _resolution_faults(config, location, given)
        if component == "train" and given.get("backbone") == "linear":
            yield from _linear_faults(location, given)


def _trained(config: Config) -> Iterator[tuple[Location, str, Parameters]]:
    """Yield the place, the component and the parameters of everything that trains."""
    if isinstance(config.teacher, TrainedTeacher):
        weights = {} if config.teacher.weights is None else {"weights": config.teacher.weights}
        yield ("teacher",), "train", {**config.teacher.parameters, **weights}
    for name, path in config.variants.items():
        for index, step in enumerate(path):
            yield ("variants", name, index, step.component), step.component, step.parameters


def _idle_faults(location: Location, component: str, given: Parameters) -> Iterator[Fault]:
    """Refuse parameters that mean nothing for the backbone, which would be dropped in silence."""
    known = {parameter.name: parameter for parameter in offered(component).parameters}
    values = {name: parameter.default for name, parameter in known.items()} | dict(given)
    for name in given:
        rule = known[name].unmet(values) if name in known else None
        if rule is None:
            continue
        place, first = where((*location, name)), rule.values[0]
        what = f"{place}: {rule.in_words} alone has it"
        yield (
            (*location, name),
            f"{what}, and {rule.parameter} is {values[rule.parameter]}",
            f"remove {name} there, or write {rule.parameter}: {'null' if first is None else first}",
        )
    for name, what, fix in block_faults(values) if values["backbone"] == "conv" else ():
        place = (*location, name)
        yield place, f"{where(place)}: {what}", fix


def _task_faults(config: Config, location: Location, given: Parameters) -> Iterator[Fault]:
    if config.task == "verification":
        if given.get("class_weight", "none") != "none":
            place = (*location, "class_weight")
            what = "it is for classification; batches hold as many images of each identity anyway"
            yield place, f"{where(place)}: {what}", "remove class_weight"
        return
    for name in _OF_COMPARISONS:
        if name in given:
            place = (*location, name)
            what = "it is about images that are compared, and the task is classification"
            yield place, f"{where(place)}: {what}", f"remove {name}, or write task: verification"
    for name, what in (
        ("turns", "identities of turned images, and a class that is turned stays what it is"),
        ("mirrors", "identities of mirror images, and a class that is mirrored stays what it is"),
        ("embedding_norm", "embeddings, and the task is classification"),
    ):
        if given.get(name):
            yield (
                (*location, name),
                f"{where((*location, name))}: it is about {what}",
                f"remove {name}, or write task: verification",
            )


def _turn_faults(config: Config, location: Location, given: Parameters) -> Iterator[Fault]:
    if config.task == "classification":
        return
    if given.get("mirrors") and given.get("flip"):
        what = "mirror images are identities of their own, and flip takes them for the same"
        yield (*location, "flip"), f"{where((*location, 'flip'))}: {what}", "remove flip"
    image, place = config.image, (*location, "turns")
    if given.get("turns") and image.height != image.width:
        side = min(image.height, image.width)
        size = f"{image.height} x {image.width}"
        yield (
            place,
            f"{where(place)}: images of {size} do not fit when they are turned",
            f"write image: {{height: {side}, width: {side}}}, or remove turns",
        )
    for name, seen in (("turns", "turned"), ("mirrors", "mirrored")):
        asked = isinstance(config.teacher, AnswersTeacher) and location[-1] == "distill"
        if asked and given.get(name):
            what = f"the teacher is known by its answers, and cannot be asked about {seen} images"
            place = (*location, name)
            yield place, f"{where(place)}: {what}", f"remove {name}"


def _resolution_faults(config: Config, location: Location, given: Parameters) -> Iterator[Fault]:
    side, shorter = given.get("resolution"), min(config.image.height, config.image.width)
    if isinstance(side, int) and side > shorter:
        place = (*location, "resolution")
        size = f"{config.image.height} x {config.image.width} pixels"
        what = f"{where(place)}: it is {side}, and the images have {size}"
        yield place, what, f"write {shorter} or below, or remove resolution"


def _linear_faults(location: Location, given: Parameters) -> Iterator[Fault]:
    for name in given:
        if name in _UNUSED_BY_LINEAR:
            place = (*location, name)
            yield (
                place,
                f"{where(place)}: it means nothing for a linear map, which train fits in one go",
                f"remove {name}",
            )
