"""Records as version 1 of slimline wrote them: frozen, for what has to read them for ever."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.runs.keys import Ingredients


def step_record_v1(
    *,
    run: str,
    step: str,
    ingredients: Ingredients,
    outputs: Mapping[str, str],
    statement: Mapping[str, Any],
    engine: str = "local",
    wall_s: float = 1.0,
) -> dict[str, object]:
    """Return the record of an execution: the subjects are trees that pretend to be files."""
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": name, "digest": {"sha256": tree}} for name, tree in sorted(outputs.items())
        ],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "urn:slimline:step:1",
                "externalParameters": dict(ingredients.parameters),
                "internalParameters": ingredients.to_json(),
                "resolvedDependencies": [],
            },
            "runDetails": {
                "builder": {"id": f"slimline/{engine}", "version": {"slimline": "0.1"}},
                "metadata": {
                    "invocationId": f"{run}/{step}",
                    "startedOn": statement.get("started"),
                    "finishedOn": "2026-01-02T03:05:05.678+00:00",
                },
                "byproducts": [{"name": "statement", "content": dict(statement)}],
            },
        },
        "key": ingredients.key,
        "image": None,
        "wall_s": wall_s,
    }


def unexecuted_record_v1(
    *, run: str, step: str, component: str, result: str, because: str, engine: str = "local"
) -> dict[str, object]:
    """Return the record of a step that was skipped, or killed."""
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "urn:slimline:not-executed:1",
                "externalParameters": {},
                "internalParameters": {"component": component},
                "resolvedDependencies": [],
            },
            "runDetails": {
                "builder": {"id": f"slimline/{engine}", "version": {"slimline": "0.1"}},
                "metadata": {
                    "invocationId": f"{run}/{step}",
                    "finishedOn": "2026-01-02T03:05:05.678+00:00",
                },
                "byproducts": [
                    {
                        "name": "statement",
                        "content": {"outcome": {"result": result, "what": because}},
                    }
                ],
            },
        },
        "key": None,
        "image": None,
        "wall_s": 0.0,
    }
