"""The record of one execution of a step, immutable.

It is an in-toto Statement with a SLSA provenance predicate: https://in-toto.io/Statement/v1,
https://slsa.dev/provenance/v1.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from components.contract.digests import canonical_json
from pipelines import __version__
from pipelines.runs.keys import Ingredients
from pipelines.runs.records import damaged_record, now, read_value
from pipelines.stores.layout import step_record_key
from pipelines.stores.store import KeyMissing, Store

BUILD_TYPE = "urn:slimline:step:1"
NOT_EXECUTED = "urn:slimline:not-executed:1"
"""Type of the record of a step that a run should have executed, and did not."""

_INGREDIENTS = TypeAdapter(Ingredients)


def step_record(
    *,
    run: str,
    step: str,
    engine: str,
    ingredients: Ingredients,
    outputs: Mapping[str, str],
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
        statement: The facts that the component's process wrote.
        image_digest: Of the container image, where there was one.
        wall_s: Wall time of the whole step for the engine.
        finished: ISO 8601, UTC; None is now.
    """
    dependencies = [
        {"name": name, "digest": {"sha256": item}}
        for name, value in sorted(ingredients.inputs.items())
        for item in (value if isinstance(value, list) else [value])
        if item
    ]
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": name, "digest": {"sha256": tree}} for name, tree in sorted(outputs.items())
        ],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": dict(ingredients.parameters),
                "internalParameters": ingredients.to_json(),
                "resolvedDependencies": dependencies,
            },
            "runDetails": {
                "builder": {"id": f"slimline/{engine}", "version": {"slimline": __version__}},
                "metadata": {
                    "invocationId": f"{run}/{step}",
                    "startedOn": statement.get("started"),
                    "finishedOn": finished or now(),
                },
                "byproducts": [{"name": "statement", "content": dict(statement)}],
            },
        },
        "key": ingredients.key,
        "image": image_digest,
        "wall_s": wall_s,
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
    outcome = {"result": result, "what": because}
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": NOT_EXECUTED,
                "externalParameters": {},
                "internalParameters": {"component": component},
                "resolvedDependencies": [],
            },
            "runDetails": {
                "builder": {"id": f"slimline/{engine}", "version": {"slimline": __version__}},
                "metadata": {"invocationId": f"{run}/{step}", "finishedOn": now()},
                "byproducts": [{"name": "statement", "content": {"outcome": outcome}}],
            },
        },
        "key": None,
        "image": None,
        "wall_s": 0.0,
    }


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


def read_ingredients(store: Store, record: str) -> dict[str, object] | None:
    """Return what the key of a recorded execution was made of.

    None if the record is gone, or is of a step that was not executed.

    Raises:
        UserError: The record is damaged.
    """
    try:
        definition = json.loads(read_value(store, record))["predicate"]["buildDefinition"]
        if definition["buildType"] == NOT_EXECUTED:
            return None
        return _INGREDIENTS.validate_python(definition["internalParameters"]).to_json()
    except KeyMissing:
        return None
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise damaged_record(store, record) from error
