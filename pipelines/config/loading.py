"""Reading a configuration: YAML in, everything checked, paths made absolute."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import cast

from pydantic import ValidationError

from components.ml import imagenet
from pipelines.config.checking import faults_of
from pipelines.config.configuration import Config, located
from pipelines.config.device_section import DeviceSection
from pipelines.config.faults import error_in, fault_of
from pipelines.config.other_devices import ResultsDevice
from pipelines.config.sections import AutoSection, ImportedTeacher
from pipelines.config.shell_device import ShellDevice
from pipelines.config.suggest.plan import SuggestedVariant
from pipelines.config.suggest.tree import Suggestion, plain_variants, suggest
from pipelines.config.yaml_file import Document, read
from pipelines.disk.names import absolute

AUTO = "auto"
"""What stands under ``variants`` where the rules are to choose them."""
_ANY_VARIANT = {"student": [{"distill": {"backbone": "conv"}}]}
"""A path that every teacher allows: all else is checked with it before variants are suggested."""

_EXAMPLES: Mapping[str, str] = {
    "name": "my-model",
    "task": "classification",
    "data": "./images",
    "image": "{height: 96, width: 96}",
    "split": "{by: image}",
    "teacher": "{backbone: mobilenet_v2}",
    "teacher.normalization": "{mean: 127.5, scale: 127.5}",
    "teacher.normalization.mean": "127.5",
    "teacher.normalization.scale": "127.5",
    "variants": "{student-int8: [{distill: {alpha: 0.5}}, {quantize: {scheme: int8}}]}",
    "budgets": "{size_mb: 1, drop: 0.01}",
}


def load(path: Path) -> Config:
    """Read a configuration and check all of it.

    Args:
        path: A YAML file; paths in it are relative to its folder.

    Raises:
        UserError: Anything that cannot be right, with its line.
    """
    document = read(path)
    if document.value.get("variants") != AUTO:
        config = _checked(document, document.value)
        if config.auto is not None:
            what = "auto: it says what variants: auto is made for, and the variants are written out"
            raise error_in(document, (("auto",), what, "remove auto, or write variants: auto"))
        return _anchored(config, absolute(path).parent)
    found = _suggestion(document, None)
    written = {key: value for key, value in document.value.items() if key != "auto"}
    config = _checked(document, {**written, "variants": found.plain})
    return _anchored(config, absolute(path).parent)


def suggestion_for(
    path: Path,
    *,
    auto: Mapping[str, object] | None = None,
    told: Callable[[Config], float | None] | None = None,
) -> Suggestion:
    """Suggest variants for a configuration, in place of those that it may have.

    Args:
        path: A YAML file, which may do without variants.
        auto: Keys of ``auto`` that count in place of the file's.
        told: How many minutes earlier runs say that a configuration takes; None where they do not.

    Raises:
        UserError: Anything else in the file that cannot be right, with its line.
    """
    return _suggestion(read(path), auto, told, absolute(path).parent)


def says_auto(path: Path) -> bool:
    """Whether a configuration leaves its variants to the rules."""
    return read(path).value.get("variants") == AUTO


def _suggestion(
    document: Document,
    auto: Mapping[str, object] | None,
    told: Callable[[Config], float | None] | None = None,
    folder: Path = Path(),
) -> Suggestion:
    """Check everything but the variants, and suggest those."""
    given = document.value.get("auto")
    if auto is not None and (given is None or isinstance(given, dict)):
        given = {**cast("dict[str, object]", given or {}), **auto}
    plain = {**document.value, "auto": given, "variants": _ANY_VARIANT}
    config = _checked(document, plain)

    def minutes(variants: Sequence[SuggestedVariant]) -> float | None:
        assert told is not None
        written = {key: value for key, value in document.value.items() if key != "auto"}
        candidate = Config.model_validate({**written, "variants": plain_variants(variants)})
        return told(_anchored(candidate, folder))

    return suggest(config, config.auto or AutoSection(), minutes if told else None)


def _checked(document: Document, value: Mapping[str, object]) -> Config:
    try:
        config = Config.model_validate(value)
    except ValidationError as error:
        raise error_in(document, fault_of(error.errors()[0], _EXAMPLES)) from None
    for fault in faults_of(config):
        raise error_in(document, fault)
    return config


def _device_anchored(device: DeviceSection, folder: Path) -> DeviceSection:
    """Make the path of a device's file absolute, where it has one."""
    if isinstance(device, ResultsDevice):
        return device.model_copy(update={"file": located(device.file, folder)})
    if isinstance(device, ShellDevice) and device.runner:
        return device.model_copy(update={"runner": located(device.runner, folder)})
    return device


def _anchored(config: Config, folder: Path) -> Config:
    """Make the paths absolute."""
    teacher = config.teacher
    for key in ("model", "outputs", "weights"):
        place = getattr(teacher, key, None)
        if place and not (key == "weights" and place == imagenet.KEY):
            teacher = teacher.model_copy(update={key: located(place, folder)})
    if isinstance(teacher, ImportedTeacher) and teacher.modules:
        modules = tuple(located(place, folder) for place in teacher.modules)
        teacher = teacher.model_copy(update={"modules": modules})
    releases = config.releases
    if releases and releases.key:
        releases = releases.model_copy(update={"key": located(releases.key, folder)})
    devices = tuple(_device_anchored(device, folder) for device in config.devices)
    return config.model_copy(
        update={
            "devices": devices,
            "data": located(config.data, folder),
            "store": located(config.store, folder),
            "pairs": config.pairs and located(config.pairs, folder),
            "releases": releases,
            "teacher": teacher,
        }
    )
