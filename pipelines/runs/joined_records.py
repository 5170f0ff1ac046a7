"""``records.jsonl``: the records of all steps of a run in one object, written at its end.

An index that is made anew reads one object a run and not one a step. The records themselves stay
what counts; a run that was killed, or is of an earlier version, has them alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from components.contract.digests import canonical_json
from pipelines.runs.records import damaged_record
from pipelines.stores.call_each import call_each
from pipelines.stores.layout import RUNS, kind_of, records_key
from pipelines.stores.store import KeyMissing, Store

_THREADS = 16


def join_records(store: Store, run: str) -> None:
    """Write the records of a run's steps once more, together; where they are already, they stay.

    What is no JSON is left out: ``slimline verify`` names it.
    """
    keys = [key for key in store.list(f"{RUNS}{run}/steps/") if kind_of(key) == "step"]
    lines = call_each(lambda key: _line(store, key), ((key,) for key in keys), _THREADS)
    store.put_if_absent(records_key(run), b"".join(lines))


def _line(store: Store, key: str) -> bytes:
    try:
        value = json.loads(store.get(key))
        return canonical_json({"key": key, "value": value}) + b"\n"
    except (KeyMissing, ValueError, TypeError, RecursionError):
        return b""


def parse_joined(data: bytes) -> Iterator[tuple[str, Any]]:
    """Yield key and value of each record.

    Raises:
        ValueError: These bytes are something else.
    """
    for line in data.splitlines():
        match json.loads(line):
            case {"key": str(key), "value": value}:
                yield key, value
            case _:
                raise ValueError("a line holds no key and no value")


def read_joined(store: Store, run: str) -> dict[str, bytes] | None:
    """Return by key the bytes of every record of a run's steps.

    None where they were not joined: the run was killed, is going on, or is of an earlier version.

    Raises:
        UserError: What lies there is something else.
    """
    key = records_key(run)
    try:
        return {key: canonical_json(value) for key, value in parse_joined(store.get(key))}
    except KeyMissing:
        return None
    except (ValueError, TypeError, RecursionError) as error:
        raise damaged_record(store, key) from error
