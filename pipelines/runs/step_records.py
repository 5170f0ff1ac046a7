"""The record of one execution of a step, immutable.

It is an in-toto Statement with a SLSA provenance predicate: https://in-toto.io/Statement/v1,
https://slsa.dev/provenance/v1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from pydantic import TypeAdapter

from components.contract.digests import canonical_json
from components.contract.errors import UserError
from components.contract.interface import interface_of
from components.contract.tree import SINGLE, Tree
from pipelines import __version__
from pipelines.runs.keys import Ingredients
from pipelines.runs.records import damaged_record, now, read_value
from pipelines.runs.statements import (
    EXECUTION,
    NOT_EXECUTED,
    STEP,
    TREE,
    LaterVersionError,
    Statement,
    read_statement,
)
from pipelines.stores.layout import step_of_record, step_record_key
from pipelines.stores.store import KeyMissing, Store

FILES_MAX = 1000
"""How many files a record names; a Dataset of a million images has far fewer, in shards."""

SOURCE = "slimlineSource"
"""Name of the digest of a source among the digests of what a step was made of."""

_INGREDIENTS = TypeAdapter(Ingredients)


def step_record(
    *,
    run: str,
    step: str,
    engine: str,
    ingredients: Ingredients,
    outputs: Mapping[str, str],
    trees: Mapping[str, Tree],
    statement: Mapping[str, Any],
    image_digest: str | None,
    wall_s: float,
    finished: str | None = None,
) -> dict[str, object]:
    """Complete the container's statement into the record of one execution.

    Args:
        run: The run's identifier.
        step: The step's name.
        engine: Name of the engine.
        ingredients: What the step key was made of.
        outputs: Tree digest of every output; empty after a failure.
        trees: Files of the outputs, of those whose files are known.
        statement: The facts that the component's process wrote.
        image_digest: Of the container image, where there was one.
        wall_s: Wall time of the whole step for the engine.
        finished: ISO 8601, UTC; None is now.
    """
    files, unlisted = _files(trees)
    named: list[dict[str, object]] = [
        {"name": name, "digest": {TREE: tree}} for name, tree in sorted(outputs.items())
    ]
    return _statement(
        STEP,
        subject=[*files, *named],
        definition={
            "externalParameters": dict(ingredients.parameters),
            "internalParameters": ingredients.to_json(),
            "resolvedDependencies": _dependencies(ingredients),
        },
        engine=engine,
        metadata={
            "invocationId": f"{run}/{step}",
            "startedOn": statement.get("started"),
            "finishedOn": finished or now(),
        },
        content=_without_files(statement),
        execution={
            "key": ingredients.key,
            "image": image_digest,
            "wall_s": wall_s,
            "unlisted_files": unlisted,
        },
    )


def _without_files(statement: Mapping[str, Any]) -> dict[str, Any]:
    """Return a statement without the files of outputs, which are subjects of the record."""
    stated = statement.get("outputs")
    if not isinstance(stated, Mapping):
        return dict(statement)
    outputs = {
        name: {key: value for key, value in said.items() if key != "entries"}
        for name, said in cast("Mapping[str, Mapping[str, Any]]", stated).items()
    }
    return {**statement, "outputs": outputs}


def _files(trees: Mapping[str, Tree]) -> tuple[list[dict[str, object]], int]:
    """Return a subject for each file, and how many files there are beyond ``FILES_MAX``."""
    subjects: list[dict[str, object]] = [
        {
            "name": output if entry.path == SINGLE else f"{output}/{entry.path}",
            "digest": {"sha256": entry.sha256},
        }
        for output, tree in sorted(trees.items())
        for entry in tree.entries
    ]
    return subjects[:FILES_MAX], max(0, len(subjects) - FILES_MAX)


def _dependencies(ingredients: Ingredients) -> list[dict[str, object]]:
    """Name what the step read by the kind of digest that it has: a source is no file tree."""
    sources = {
        port.name for port in interface_of(ingredients.component).inputs if port.kind == "Source"
    }
    return [
        {"name": name, "digest": {SOURCE if name in sources else TREE: item}}
        for name, value in sorted(ingredients.inputs.items())
        for item in (value if isinstance(value, list) else [value])
        if item
    ]


def _statement(
    build_type: str,
    *,
    subject: list[dict[str, object]],
    definition: Mapping[str, object],
    engine: str,
    metadata: Mapping[str, object],
    content: Mapping[str, Any],
    execution: Mapping[str, object],
) -> dict[str, object]:
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subject,
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {"buildType": build_type, **definition},
            "runDetails": {
                "builder": {
                    "id": f"urn:slimline:engine:{engine}",
                    "version": {"slimline": __version__},
                },
                "metadata": dict(metadata),
                "byproducts": [{"name": "statement", "content": dict(content)}],
            },
            EXECUTION: dict(execution),
        },
    }


def unexecuted_record(
    *, run: str, step: str, component: str, engine: str, result: str, because: str
) -> dict[str, object]:
    """Return the record of a step of which no execution tells: it was skipped, or killed.

    Args:
        run: The run's identifier.
        step: The step's name.
        component: Which component would have run.
        engine: Name of the engine.
        result: ``skipped`` or ``killed``.
        because: What hindered it.
    """
    return _statement(
        NOT_EXECUTED,
        subject=[],
        definition={
            "externalParameters": {},
            "internalParameters": {"component": component},
            "resolvedDependencies": [],
        },
        engine=engine,
        metadata={"invocationId": f"{run}/{step}", "finishedOn": now()},
        content={"outcome": {"result": result, "what": because}},
        execution={"key": None, "image": None, "wall_s": 0.0, "unlisted_files": 0},
    )


def put_step_record(
    store: Store, run: str, step: str, record: Mapping[str, object], attempt: int = 1
) -> str:
    """Keep a step's record; a step that ran again within its run gets a further one.

    Args:
        store: Where.
        run: The run's identifier.
        step: The step's name.
        record: What to keep.
        attempt: Which attempt it is of, from 1; a later number where that one is taken.

    Returns:
        Its store key.
    """
    data = canonical_json(record)
    while True:
        key = step_record_key(run, step, attempt)
        if store.put_if_absent(key, data):
            return key
        attempt += 1


@dataclass(frozen=True)
class ExecutionRecord:
    """The record of one execution, of whichever version; the one form that all questions read.

    Attributes:
        record: Its key in the store.
        run: Identifier under which the store keeps the run.
        step: Name of the step.
        attempt: Which attempt of the step within the run, from 1.
        component: Which component ran, or would have.
        engine: Name of the engine.
        outcome: ``ok``, ``user-fault``, ``crashed``, ``cancelled``, or, where nothing was executed,
            ``skipped`` or ``killed``.
        started: ISO 8601, UTC, or None.
        finished: The same.
        ingredients: What the step key is the digest of; empty where nothing was executed.
        outputs: Tree digest of every output.
        files: sha256 of files by output and path within it, at most 1,000; none in version 1.
        unlisted_files: How many further files version 2 counts.
        key: The step key; None where nothing was executed.
        image: Digest of the container image, or None.
        wall_s: Wall time of the whole step for the engine, in seconds.
        versions: Of Python and packages.
        machine: Architecture, processor, cores.
        folder: Where its outputs lie in the bucket of a cluster, or empty.
        stated: All that the component's process, or the engine, stated.
        version: Of the record.
    """

    record: str
    run: str
    step: str
    attempt: int
    component: str
    engine: str
    outcome: str
    started: str | None
    finished: str | None
    ingredients: Mapping[str, Any]
    outputs: Mapping[str, str]
    files: Mapping[tuple[str, str], str]
    unlisted_files: int
    key: str | None
    image: str | None
    wall_s: float
    versions: Mapping[str, str]
    machine: Mapping[str, Any]
    folder: str
    stated: Mapping[str, Any]
    version: int


def read_record(store: Store, key: str) -> ExecutionRecord | None:
    """Return the record of an execution, or None where there is none under this key.

    Raises:
        UserError: It is damaged, or of a later version of slimline.
    """
    try:
        data = read_value(store, key)
    except KeyMissing:
        return None
    return parse_execution(store, key, data)


def parse_execution(store: Store, key: str, data: bytes) -> ExecutionRecord:
    """Return the record of an execution that these bytes are.

    Args:
        store: Where they are from, to be named in errors.
        key: Under which key they lie there.
        data: The bytes.

    Raises:
        UserError: See ``read_record``.
    """
    try:
        return _execution(key, read_statement(data))
    except LaterVersionError as error:
        raise UserError(
            f"the record {key} in the store {store.uri} cannot be read: {error}",
            f"update slimline, which is {__version__} here, to the version that wrote it",
        ) from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise damaged_record(store, key) from error


def _execution(key: str, statement: Statement) -> ExecutionRecord:
    run, step, attempt = step_of_record(key)
    stated = statement.content
    made_of: Mapping[str, Any] = {}
    if statement.executed:
        made_of = _INGREDIENTS.validate_python(statement.ingredients).to_json()
    outcome = cast("Mapping[str, str]", stated.get("outcome", {}))
    return ExecutionRecord(
        record=key,
        run=run,
        step=step,
        attempt=attempt,
        component=str(statement.ingredients["component"]),
        engine=statement.engine,
        # A process that was killed has stated nothing.
        outcome=outcome.get("result") or ("ok" if statement.outputs else "crashed"),
        started=statement.started,
        finished=statement.finished,
        ingredients=made_of,
        outputs=statement.outputs,
        files=statement.files,
        unlisted_files=statement.unlisted_files,
        key=statement.key,
        image=statement.image,
        wall_s=statement.wall_s,
        versions=dict(stated.get("versions", {})),
        machine=dict(stated.get("machine", {})),
        folder=str(stated.get("folder", "")),
        stated=stated,
        version=statement.version,
    )


def read_ingredients(store: Store, record: str) -> Mapping[str, Any] | None:
    """Return what the key of a recorded execution was made of.

    None if the record is gone, or is of a step that was not executed.

    Raises:
        UserError: The record is damaged, or of a later version of slimline.
    """
    found = read_record(store, record)
    return found.ingredients or None if found else None
