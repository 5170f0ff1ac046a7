"""Distillations that mean nothing for the task, or whose settings mean nothing for each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace

from components.ml.techniques.distillation_settings import ONLY_FOR, DistillationSettings
from pipelines.config.configuration import Config
from pipelines.config.faults import Fault, Location, where
from pipelines.config.sections import PathStep


def distillation_faults(config: Config, variant: str, first: PathStep) -> Iterator[Fault]:
    """Refuse settings of a distillation that mean nothing for the task, or for each other."""
    if first.component != "distill":
        return
    location: Location = ("variants", variant, 0, "distill")
    given = first.parameters
    for task, keys in ONLY_FOR.items():
        for key in keys if task != config.task else ():
            if key in given:
                what = f"{where((*location, key))}: it is for {task}, and the task is {config.task}"
                yield (*location, key), what, f"remove {key}"
    known = {field.name for field in fields(DistillationSettings)}
    settings = replace(
        DistillationSettings(), **{name: given[name] for name in known & given.keys()}
    )
    if not settings.of(config.task).learns_something(config.task):
        place = (*location, "label_weight")
        what = "it is 0, and so is the weight of everything that could be learned of the teacher"
        yield place, f"{where(place)}: {what}", "write distribution_weight: 1 beside it"
    if "hint_layers" in given and not settings.features:
        what = "there are neither hints nor attention whose layers could be named"
        place = (*location, "hint_layers")
        yield place, f"{where(place)}: {what}", "write hint_weight: 1 beside it, or remove it"
    if config.task == "classification" and "temperature" in given and not settings.soft_weight:
        place = (*location, "temperature")
        what = "soft_weight is 0, and no probabilities are learned that it could soften"
        yield place, f"{where(place)}: {what}", "write soft_weight: 0.7, or remove temperature"
    name = "distribution_temperature"
    if config.task == "verification" and name in given and not settings.distribution_weight:
        place = (*location, name)
        what = "no distribution is learned whose cosines it could divide"
        yield place, f"{where(place)}: {what}", f"write distribution_weight: 1, or remove {name}"
