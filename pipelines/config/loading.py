"""Reading a configuration: YAML in, everything checked, paths made absolute."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from components.contract.errors import UserError
from components.ml import imagenet
from pipelines.config.checking import faults_of
from pipelines.config.configuration import Config, located
from pipelines.config.faults import Fault, fault_of
from pipelines.config.sections import ImportedTeacher
from pipelines.config.yaml_file import Document, read
from pipelines.disk.names import absolute


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
    for fault in faults_of(config):
        raise _error(document, fault)
    return _anchored(config, absolute(path).parent)


def _error(document: Document, fault: Fault) -> UserError:
    location, what, fix = fault
    return UserError(f"{document.place(location)}: {what}", fix)


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
    return config.model_copy(
        update={
            "data": located(config.data, folder),
            "store": located(config.store, folder),
            "pairs": config.pairs and located(config.pairs, folder),
            "teacher": teacher,
        }
    )
