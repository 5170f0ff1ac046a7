"""Steps that a run did not execute: each leaves a record that says why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from components.contract.digests import canonical_json
from pipelines.runs.graph import Step
from pipelines.runs.step_records import unexecuted_record
from pipelines.stores.layout import step_record_key
from pipelines.stores.store import Store

CANCELLATION = "the run was cancelled"
"""Why steps of a cancelled run have no result."""


def put_skipped(
    store: Store,
    run: str,
    engine: str,
    steps: Sequence[Step],
    attempts: Mapping[str, int],
    because: str,
) -> dict[str, str]:
    """Keep a record of every step that will not be executed.

    Args:
        store: Where.
        run: The run's identifier.
        engine: Name of the engine.
        steps: Which.
        attempts: How often steps were executed in this run before.
        because: What hindered them.

    Returns:
        Store key of the record by step.
    """
    keys = {
        step.name: step_record_key(run, step.name, attempts.get(step.name, 0) + 1) for step in steps
    }
    items: list[tuple[str, bytes | Path]] = []
    for step in steps:
        record = unexecuted_record(
            run=run, step=step.name, component=step.component, engine=engine, result="skipped",
            because=because,
        )  # fmt: skip
        items.append((keys[step.name], canonical_json(record)))
    store.put_many(items)
    return keys
