"""``records.jsonl``: the records of all steps of a run in one object, written at its end.

An index that is made anew reads one object a run and not one a step. The records themselves stay
what counts; a run that was killed, or is of an earlier version, has them alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from components.contract.digests import canonical_json
from pipelines.runs.records import damaged_record
from pipelines.stores.call_each import call_each
from pipelines.stores.layout import RUNS, kind_of, records_key
from pipelines.stores.store import KeyMissing, Store

_THREADS = 16
_LINE = re.compile(rb'\{"key":"([^"\\]+)","value":(.*)\}')
"""A line as it is written: its value is cut out of it, as to parse and to write the records of many
runs once more takes longer than all else that an index does with them."""


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


def parse_joined(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the key of each record and its bytes, which are not looked into.

    Raises:
        ValueError: The bytes given are something else, or a key is none of a record.
    """
    for line in data.splitlines():
        found = _LINE.fullmatch(line)
        key = found[1].decode() if found else ""
        if found is None or kind_of(key) != "step":
            raise ValueError("a line holds no key of a record and no value")
        yield key, found[2]


def read_joined(store: Store, run: str) -> dict[str, bytes] | None:
    """Return by key the bytes of every record of a run's steps.

    None where they were not joined: the run was killed, is going on, or is of an earlier version.

    Raises:
        UserError: What lies there is something else.
    """
    key = records_key(run)
    try:
        return dict(parse_joined(store.get(key)))
    except KeyMissing:
        return None
    except ValueError as error:
        raise damaged_record(store, key) from error
