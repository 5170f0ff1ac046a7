"""The configuration: what a person writes, checked in full before anything runs.

Parameters of components are not described here. They are checked against the component's own
signature, under the names that ``parameters.offered`` gives them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import BeforeValidator, Field, ValidationError

from components.contract.digests import digest
from components.contract.errors import UserError, suggest
from components.contract.interface import interface_of
from components.contract.types import Fraction, PositiveInt, Seed, Task
from components.statistics.metrics import METRICS, PRIMARY
from pipelines.config.faults import Fault, Location, fault_of, where
from pipelines.config.kubeflow import Kubeflow
from pipelines.config.parameters import offered
from pipelines.config.sections import (
    BudgetSection,
    ComponentName,
    Device,
    Edge,
    HostDevice,
    ImageShape,
    ImportedTeacher,
    Limit,
    Name,
    Parameters,
    Section,
    Teacher,
    TrainedTeacher,
    VariantName,
    as_tuple,
)
from pipelines.config.yaml_file import Document, read
from pipelines.disk.names import absolute

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://|package:")


class Config(Section):
    """A whole configuration."""

    name: Name = Field(description="lower-case letters, digits and hyphens")
    task: Task = Field(description="what the model is to do")
    data: str = Field(
        min_length=1,
        description="a folder with one sub-folder per identity or class, an `.npz` or `.csv.gz` "
        "file, a folder of idx files; on this machine, `gs://bucket/name` for the same in a "
        "bucket, or `package:...` for data inside a Python package",
    )
    image: ImageShape = Field(description="shape of the model's input")
    split: Parameters = Field(
        default_factory=dict[str, object],
        description="how the data is divided: parameters of `ingest`; without `by` verification "
        "splits by identity and classification by image",
    )
    teacher: Teacher = Field(description="the large model that everything is measured against")
    variants: Mapping[
        VariantName,
        Annotated[tuple[Edge, ...], BeforeValidator(as_tuple), Field(min_length=1)],
    ] = Field(
        min_length=1,
        description="by name the path of steps from the teacher; shared beginnings run once",
    )
    devices: Annotated[tuple[Device, ...], BeforeValidator(as_tuple)] = Field(
        default_factory=lambda: (HostDevice.model_validate({"kind": "host"}),),
        min_length=1,
        description="where inference is timed: `host`, or `{kind: host, threads: 2}`",
    )
    budgets: BudgetSection = Field(
        default_factory=BudgetSection, description="what the winner keeps to"
    )
    minimize: Literal["size", "latency"] = Field(
        "size", description="what is best among those that keep to the budgets"
    )
    confidence: Fraction = Field(0.95, description="coverage of every interval")
    evaluate: Parameters = Field(
        default_factory=dict[str, object], description="parameters of `evaluate`"
    )
    select: Parameters = Field(
        default_factory=dict[str, object], description="parameters of `select`"
    )
    store: str = Field(
        "./slimline-store",
        min_length=1,
        description="where results and records are kept: a folder, or `gs://bucket/prefix`",
    )
    threads: PositiveInt = Field(2, description="cores that a training step keeps busy")
    seed: Seed = Field(0, description="where all randomness starts")
    limits: Mapping[ComponentName, Limit] = Field(
        default_factory=dict[str, Limit],
        description="by component the memory and time that its steps may take",
    )
    kubeflow: Kubeflow | None = Field(
        default=None, description="where and on what `--engine kubeflow` runs the graph"
    )

    @property
    def metric(self) -> str:
        """The metric of the budget, the task's leading one where none was named."""
        return self.budgets.metric or PRIMARY[self.task]

    @property
    def device_names(self) -> tuple[str, ...]:
        """What the devices are called in the graph and in reports."""
        if len(self.devices) == 1:
            return (self.devices[0].kind,)
        threads = [device.parameters.get("threads", 1) for device in self.devices]
        return tuple(
            f"{device.kind}-{count}-thread{'s' if count != 1 else ''}"
            for device, count in zip(self.devices, threads, strict=True)
        )

    def to_plain(self) -> dict[str, Any]:
        """Return what a file would hold; ``load`` of it gives an equal configuration."""
        return self.model_dump(mode="json")

    @property
    def digest(self) -> str:
        """The digest of all that was configured, but not of where files lie and steps run."""
        plain = self.to_plain()
        del plain["data"], plain["store"], plain["kubeflow"]
        for key in ("model", "weights"):
            if plain["teacher"].get(key) is not None:
                plain["teacher"][key] = "given"
        return digest("config", plain)

    def relocated(self, *, data: str | None = None, store: str | None = None) -> Config:
        """Return the same with other places, relative to the working folder."""
        moved = {"data": data, "store": store}
        return self.model_copy(
            update={key: _located(value, None) for key, value in moved.items() if value}
        )


def load(path: Path) -> Config:
    """Read a configuration and check all of it.

    Args:
        path: A YAML file; paths in it are relative to its folder.

    Raises:
        UserError: Anything that cannot be right, with its line.
    """
    document = read(path)
    try:
        config = Config.model_validate(document.value)
    except ValidationError as error:
        raise _error(document, fault_of(error.errors()[0])) from None
    for fault in _faults(config):
        raise _error(document, fault)
    return _anchored(config, absolute(path).parent)


def _error(document: Document, fault: Fault) -> UserError:
    location, what, fix = fault
    return UserError(f"{document.place(location)}: {what}", fix)


def _anchored(config: Config, folder: Path) -> Config:
    """Make the paths absolute."""
    teacher = config.teacher
    key = "model" if isinstance(teacher, ImportedTeacher) else "weights"
    if place := getattr(teacher, key):
        teacher = teacher.model_copy(update={key: _located(place, folder)})
    return config.model_copy(
        update={
            "data": _located(config.data, folder),
            "store": _located(config.store, folder),
            "teacher": teacher,
        }
    )


def _located(place: str, folder: Path | None) -> str:
    """Return an absolute path; addresses such as ``gs://bucket`` and ``package:...`` stay."""
    if _ADDRESS.match(place):
        return place
    return os.path.normpath(absolute(place, folder))


def _faults(config: Config) -> Iterator[Fault]:
    """Check what spans several keys, and every parameter of a component."""
    yield from _metric_faults(config)
    yield from _split_faults(config)
    if isinstance(config.teacher, TrainedTeacher):
        yield from _parameter_faults(
            ("teacher",), "train", config.teacher.parameters, also=("weights", "model")
        )
    for name, path in config.variants.items():
        yield from _path_faults(name, path)
    for index, device in enumerate(config.devices):
        yield from _parameter_faults(("devices", index), "benchmark", device.parameters)
    if len(set(config.device_names)) != len(config.device_names):
        yield ("devices",), "devices: one is listed twice", "remove one, or give it other threads"
    yield from _parameter_faults(("evaluate",), "evaluate", config.evaluate)
    yield from _parameter_faults(("select",), "select", config.select)


def _metric_faults(config: Config) -> Iterator[Fault]:
    valid = [name for name, metric in METRICS.items() if config.task in metric.tasks]
    if config.metric not in valid:
        yield (
            ("budgets", "metric"),
            f"budgets.metric: {config.task} has no metric {config.metric!r}",
            suggest(config.metric, valid),
        )


def _split_faults(config: Config) -> Iterator[Fault]:
    yield from _parameter_faults(("split",), "ingest", config.split)
    if config.task == "classification" and config.split.get("by") == "identity":
        yield (
            ("split", "by"),
            "split.by: classes cannot be split from each other in classification",
            "write by: image, or task: verification",
        )
    defaults = {parameter.name: parameter.default for parameter in offered("ingest").parameters}
    held_out = sum(
        cast("float", config.split.get(name, defaults[name]))
        for name in ("validation", "selection", "sealed")
    )
    if held_out >= 1:
        what = f"split: validation, selection and sealed take {held_out:.3g} of the data"
        yield ("split",), f"{what}: nothing is left to train on", "lower them to well below 1"


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


def _path_faults(variant: str, path: tuple[Edge, ...]) -> Iterator[Fault]:
    for index, edge in enumerate(path):
        location = ("variants", variant, index)
        rule, name = interface_of(edge.component).path, edge.component
        if rule == "first" and index > 0:
            yield (
                location,
                f"{where(location)}: {name} makes a new model, so it comes first on a path",
                "move it to the front, or remove what stands before it",
            )
        if rule == "last" and index < len(path) - 1:
            yield (
                location,
                f"{where(location)}: nothing can follow {name}",
                "move it to the end of the path",
            )
        yield from _parameter_faults((*location, edge.component), edge.component, edge.parameters)
