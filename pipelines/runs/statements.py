"""What the record of an execution says, in every version that slimline has written.

Version 1 named the trees of the outputs as if their digests were sha256 sums of files, and kept the
step key beside the predicate. Version 2 names each file by the sha256 of its bytes, so that whoever
holds a file finds what made it. Records of both are read for ever.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from components.contract.tree import SINGLE

STEP = "urn:slimline:step:2"
NOT_EXECUTED = "urn:slimline:not-executed:2"
"""Types of the records that this version writes: of an execution, and of a step without one."""

VERSION = 2
EXECUTION = "slimline_execution"
"""Name of what slimline adds to the predicate: the specification of SLSA allows prefixed names."""

TREE = "slimlineTree"
"""Name of the digest of a file tree among the digests of a subject."""

_TYPE = re.compile(r"urn:slimline:(step|not-executed):([1-9]\d*)")
_ENGINE = re.compile(r"(?:slimline/|urn:slimline:engine:)([A-Za-z0-9_-]+)")


class LaterVersionError(ValueError):
    """A record that a later version of slimline has written, and this one does not know."""


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class _Digests(_Strict):
    sha256: str | None = None
    tree: str | None = Field(default=None, alias=TREE)


class _Subject(_Strict):
    name: str
    digest: _Digests


class _Definition(_Strict):
    type: Annotated[str, Field(alias="buildType")]
    ingredients: Annotated[Mapping[str, Any], Field(alias="internalParameters")]


class _BuiltBy(_Strict):
    id: str


class _Metadata(_Strict):
    invocation: Annotated[str, Field(alias="invocationId")]
    started: Annotated[str | None, Field(alias="startedOn")] = None
    finished: Annotated[str | None, Field(alias="finishedOn")] = None


class _Byproduct(_Strict):
    content: Mapping[str, Any]


class _Details(_Strict):
    builder: _BuiltBy
    metadata: _Metadata
    byproducts: tuple[_Byproduct]


class _Execution(_Strict):
    key: str | None
    image: str | None
    wall_s: float
    unlisted_files: int = 0


class _Predicate(_Strict):
    definition: Annotated[_Definition, Field(alias="buildDefinition")]
    details: Annotated[_Details, Field(alias="runDetails")]
    execution: Annotated[_Execution | None, Field(alias=EXECUTION)] = None


class _Raw(_Strict):
    subject: tuple[_Subject, ...]
    predicate: _Predicate
    # Version 1 kept these beside the predicate.
    key: str | None = None
    image: str | None = None
    wall_s: float = 0.0


class _Version(BaseModel):
    """What tells the version: the rest may have any form in a later one."""

    class _Outer(BaseModel):
        class _Inner(BaseModel):
            type: Annotated[str, Field(alias="buildType")]

        definition: Annotated[_Inner, Field(alias="buildDefinition")]

    predicate: _Outer


@dataclass(frozen=True)
class Statement:
    """What the record of an execution says.

    Attributes:
        version: 1 or 2.
        executed: Whether there was an execution: a step that was skipped or killed has a record.
        outputs: Tree digest of every output.
        files: sha256 of files by output and path within it (``SINGLE`` of a single file); of
            version 1 none, of version 2 at most 1,000.
        unlisted_files: How many further files the outputs have; of version 1 it does not say.
        key: The step key; None of a step that was not executed.
        ingredients: What the key is the digest of; of a step without an execution the component.
        engine: Name of the engine.
        invocation: Run and step, in the words of the engine.
        started: ISO 8601, UTC, or None.
        finished: The same.
        content: What the component's process, or the engine, stated.
        image: Digest of the container image, or None.
        wall_s: Wall time of the whole step for the engine, in seconds.
    """

    version: int
    executed: bool
    outputs: Mapping[str, str]
    files: Mapping[tuple[str, str], str]
    unlisted_files: int
    key: str | None
    ingredients: Mapping[str, Any]
    engine: str
    invocation: str
    started: str | None
    finished: str | None
    content: Mapping[str, Any]
    image: str | None
    wall_s: float


def read_statement(data: bytes) -> Statement:
    """Read the record of an execution.

    Raises:
        LaterVersionError: A later version of slimline wrote it.
        ValueError: It is something else.
    """
    kind, version = _kind_of(data)
    raw = _Raw.model_validate_json(data)
    stated = raw.predicate.execution if version > 1 else None
    if stated is None and version > 1:
        raise ValueError(f"the predicate has no {EXECUTION}")
    details = raw.predicate.details
    engine = _ENGINE.fullmatch(details.builder.id)
    if engine is None:
        raise ValueError(f"{details.builder.id!r} is no engine of slimline")
    outputs, files = _trees_v1(raw.subject) if stated is None else _trees_and_files(raw.subject)
    execution = stated or _Execution(key=raw.key, image=raw.image, wall_s=raw.wall_s)
    return Statement(
        version=version,
        executed=kind == "step",
        outputs=outputs,
        files=files,
        unlisted_files=execution.unlisted_files,
        key=execution.key,
        ingredients=raw.predicate.definition.ingredients,
        engine=engine[1],
        invocation=details.metadata.invocation,
        started=details.metadata.started,
        finished=details.metadata.finished,
        content=details.byproducts[0].content,
        image=execution.image,
        wall_s=execution.wall_s,
    )


def _kind_of(data: bytes) -> tuple[str, int]:
    """Return whether it is of an execution, and the version of the record.

    Raises:
        LaterVersionError: See ``read_statement``.
        ValueError: See ``read_statement``.
    """
    written = _Version.model_validate_json(data).predicate.definition.type
    found = _TYPE.fullmatch(written)
    if found is None:
        raise ValueError(f"{written!r} is no type of a record of slimline")
    if int(found[2]) > VERSION:
        raise LaterVersionError(f"it is of the type {written}, which a later slimline writes")
    return found[1], int(found[2])


def _trees_v1(subjects: tuple[_Subject, ...]) -> tuple[dict[str, str], dict[tuple[str, str], str]]:
    found: dict[str, str] = {}
    for subject in subjects:
        if subject.digest.sha256 is None:
            raise ValueError(f"the output {subject.name!r} has no digest")
        found[subject.name] = subject.digest.sha256
    return found, {}


def _trees_and_files(
    subjects: tuple[_Subject, ...],
) -> tuple[dict[str, str], dict[tuple[str, str], str]]:
    outputs: dict[str, str] = {}
    files: dict[tuple[str, str], str] = {}
    for subject in subjects:
        if (tree := subject.digest.tree) is not None:
            outputs[subject.name] = tree
        elif (sha256 := subject.digest.sha256) is not None:
            output, _, path = subject.name.partition("/")
            files[output, path or SINGLE] = sha256
        else:
            raise ValueError(f"the subject {subject.name!r} has no digest that slimline knows")
    if nowhere := {output for output, _ in files} - outputs.keys():
        raise ValueError(f"it names files of {min(nowhere)!r}, which is none of its outputs")
    return outputs, files
