"""The statement of a step as it must be in a pipeline root, and where its outputs lie."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Annotated, Any, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from components.contract.closure import code_digest
from components.contract.executor_input import STATEMENT
from components.contract.results import STATEMENT_FILE
from components.contract.tree import SINGLE
from pipelines.runs.graph import Step

_LEVELS = 4  # pipeline, run, task, salt
_ARTIFACT = re.compile("[a-z][a-z0-9_]*")  # what KFP lets an output be called
_NUMBERED = re.compile(r"(.+)_-?[0-9]+")

Sha256 = Annotated[str, Field(pattern="[0-9a-f]{64}")]


class _StatedPart(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class _StatedOutput(_StatedPart):
    digest: Sha256
    size_bytes: int
    files: int
    entries: list[Any] | None = None
    uri: str | None = None


class _StatedInput(_StatedPart):
    digest: str | None
    uri: str


class _StatedFacts(_StatedPart):
    """What is read of a statement; images of later versions may state more."""

    component: str
    code: str
    inputs: dict[str, _StatedInput | list[_StatedInput] | list[str] | str | None]
    parameters: dict[str, Any]
    outputs: dict[str, _StatedOutput]
    started: str
    wall_s: float


@dataclass(frozen=True)
class Found:
    """One step's result in the pipeline root.

    Attributes:
        folder: Where its artifacts lie, below the root.
        statement: What the step states of itself.
        places: By output where it lies below ``folder``; earlier versions of a component may have
            had fewer.
    """

    folder: str
    statement: Mapping[str, Any]
    places: Mapping[str, str]

    @property
    def executed_by(self) -> tuple[str, str]:
        """The identifier of the run that executed it, and the task's name there.

        Where Vertex AI ran it, the project's number stands before the job, and the task's number
        behind the task; Kubeflow's last part has no underscore.
        """
        _, run, task, last, *_ = PurePosixPath(self.folder).parts
        if numbered := _NUMBERED.fullmatch(last):
            return task, numbered[1]
        return run, task

    @property
    def function_s(self) -> float:
        """Wall time of the component's function, in seconds."""
        return float(self.statement["wall_s"])

    @property
    def finished(self) -> str:
        """When the function had ended, ISO 8601."""
        started = datetime.fromisoformat(self.statement["started"])
        return (started + timedelta(seconds=self.function_s)).isoformat(timespec="milliseconds")

    def inputs(self, port: str) -> list[Mapping[str, str]]:
        """Return address and digest of what entered a port, in order."""
        stated = self.statement["inputs"].get(port)
        items = cast("list[Any]", stated if isinstance(stated, list) else [stated])
        return [item for item in items if isinstance(item, dict)]

    def path_of(self, output: str) -> str:
        """Return the key of an output below the root: of a folder, what its files' begin with."""
        return f"{self.folder}/{self.places[output]}"

    def artifact_of(self, output: str) -> str:
        """Return the key of the artifact that an output is, or lies in."""
        return f"{self.folder}/{self.places[output].partition('/')[0]}"

    def files(self, output: str) -> Iterator[str] | None:
        """Return the keys of all files of an output, or None where there are too many to list."""
        stated, place = self.statement["outputs"][output], self.path_of(output)
        if stated.get("entries") is None:
            return None
        paths = (cast("str", entry[0]) for entry in stated["entries"])
        return (place if path == SINGLE else f"{place}/{path}" for path in paths)


def folder_of(key: str) -> str:
    """Return the folder of the artifacts that something in a pipeline root belongs to, or ""."""
    parts = key.split("/")
    return "/".join(parts[:_LEVELS]) if len(parts) > _LEVELS else ""


def is_statement(place: str) -> bool:
    """Whether what lies at a place below ``Found.folder`` is the statement of the step.

    It lies in the result; where earlier versions ran, and where each output is an artifact, it is
    an artifact itself.
    """
    folder, _, name = place.rpartition("/")
    return place == STATEMENT or (name == STATEMENT_FILE and bool(folder) and "/" not in folder)


def read_found(step: Step, folder: str, data: bytes) -> Found:
    """Read the statement of a step.

    Args:
        step: Whose it is to be.
        folder: Where its artifacts lie, below the root.
        data: The statement.

    Raises:
        ValueError: It is none, or of another step; the message says where it differs.
    """
    try:
        stated = _StatedFacts.model_validate_json(data)
        datetime.fromisoformat(stated.started)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{place}: {first['msg']}" if place else first["msg"]) from None
    if stated.component != step.component:
        raise ValueError(f"it is of the component {stated.component}")
    ports = [port.name for port in step.interface.outputs]
    missing = [name for name in ports if name not in stated.outputs]
    if missing and stated.code == code_digest(step.component):
        raise ValueError(f"it does not tell of the output {missing[0]}")
    made = [name for name in ports if name in stated.outputs]  # others came later
    places = {name: _place(name, stated.outputs[name].uri, folder) for name in made}
    return Found(folder, json.loads(data), places)


def _place(output: str, uri: str | None, folder: str) -> str:
    """Return where an output lies below a folder, which is the end of its stated address."""
    if uri is None:  # an artifact of its own, named after the output
        return output
    _, _, place = uri.rpartition(f"/{folder}/")
    artifact, _, inside = place.partition("/")
    if not _ARTIFACT.fullmatch(artifact) or (inside or artifact) != output:
        raise ValueError(f"outputs.{output}.uri: {uri} is not in {folder}")
    return place
